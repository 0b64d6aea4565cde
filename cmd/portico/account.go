package main

import "github.com/spf13/cobra"

func (p *program) newAccount() *cobra.Command { return &cobra.Command{Use: "account"} }
