package main

import "github.com/spf13/cobra"

func (p *program) newDoctor() *cobra.Command { return &cobra.Command{Use: "doctor"} }
