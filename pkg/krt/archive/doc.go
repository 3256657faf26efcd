// Package archive packs the folder of a bundle as a .krt file and unpacks one again, and lists what
// of a folder is part of its bundle: the ignore rules, and what looks like a secret.
package archive
