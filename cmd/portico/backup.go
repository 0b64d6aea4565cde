package main

import "github.com/spf13/cobra"

func (p *program) newBackup() *cobra.Command { return &cobra.Command{Use: "backup"} }
