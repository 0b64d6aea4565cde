package main

import "github.com/spf13/cobra"

func (p *program) newToken() *cobra.Command { return &cobra.Command{Use: "token"} }
