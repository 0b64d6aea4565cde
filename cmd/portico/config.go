package main

import "github.com/spf13/cobra"

func (p *program) newConfig() *cobra.Command { return &cobra.Command{Use: "config"} }
