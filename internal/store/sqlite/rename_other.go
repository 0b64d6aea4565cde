//go:build !linux

package sqlite

// renameNew renames a file without replacing another one.
func renameNew(from, to string) error { return renameChecked(from, to) }
