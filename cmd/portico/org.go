package main

import "github.com/spf13/cobra"

func (p *program) newOrg() *cobra.Command { return &cobra.Command{Use: "org"} }
