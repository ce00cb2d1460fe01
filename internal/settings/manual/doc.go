// Package manual writes what people read and type of a program: its help, what a shell completes, and an example of its
// settings file. All three come from kong's model of the program, so that a new setting is in all of them.
//
// To change the headings of settings, see groups.go; the layout of help, help.go and wrap.go; what is completed,
// candidates.go; how shells ask for it, scripts.go and scripts/; the settings file, example.go.
package manual
