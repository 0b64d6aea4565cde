package main

import "github.com/spf13/cobra"

func (p *program) newRestore() *cobra.Command { return &cobra.Command{Use: "restore"} }
