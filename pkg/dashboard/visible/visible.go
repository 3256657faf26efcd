// Package visible makes all that pages show visible. html/template escapes what would become markup,
// and no characters that steer a terminal or change the direction of text: with those, a text that
// others wrote passes for another one.
package visible

import (
	"fmt"
	"html/template"
	"reflect"
	"strings"
	"text/template/parse"
	"unicode"

	"krt.dev/kn-krt/pkg/legible"
)

// function is the name of what the templates get.
const function = "visible"

// Functions has what templates must be parsed with, before [All].
func Functions() template.FuncMap { return template.FuncMap{function: text} }

// All makes the templates, which have not been executed, escape such characters in each text that
// they write. What goes back to the server stays as it is: values of forms, addresses, data of scripts.
// It returns them.
func All(templates *template.Template) *template.Template {
	for _, t := range templates.Templates() {
		if t.Tree != nil {
			list(t.Tree.Root, "")
		}
	}
	return templates
}

// text is a value as people read it. What is HTML already is left alone.
func text(value any) any {
	if kind := reflect.TypeOf(value); kind == nil || kind.PkgPath() == "html/template" {
		return value
	}
	switch value.(type) {
	case error, fmt.Stringer:
		return printable(fmt.Sprint(value))
	}
	if v := reflect.ValueOf(value); v.Kind() == reflect.String {
		return printable(v.String())
	}
	return value
}

// printable escapes the characters. An end of a line may be Windows' one.
func printable(text string) string { return legible.Printable(strings.ReplaceAll(text, "\r\n", "\n")) }

// list walks through nodes, which come after the text before.
func list(nodes *parse.ListNode, before string) {
	if nodes == nil {
		return
	}
	for _, node := range nodes.Nodes {
		switch n := node.(type) {
		case *parse.TextNode:
			before += string(n.Text)
		case *parse.ActionNode:
			if len(n.Pipe.Decl) == 0 && shown(before) {
				show(n.Pipe)
			}
		case *parse.IfNode:
			branches(&n.BranchNode, before)
		case *parse.RangeNode:
			branches(&n.BranchNode, before)
		case *parse.WithNode:
			branches(&n.BranchNode, before)
		}
	}
}

func branches(n *parse.BranchNode, before string) {
	list(n.List, before)
	list(n.ElseList, before)
}

// show adds the function to the end of a pipeline; a template that is walked twice has it once.
func show(pipe *parse.PipeNode) {
	last := pipe.Cmds[len(pipe.Cmds)-1]
	if first, ok := last.Args[0].(*parse.IdentifierNode); ok && first.Ident == function {
		return
	}
	name := parse.NewIdentifier(function).SetPos(pipe.Position())
	pipe.Cmds = append(pipe.Cmds, &parse.CommandNode{NodeType: parse.NodeCommand, Pos: pipe.Position(), Args: []parse.Node{name}})
}

// shown reports whether people read what follows: not the value of a field or of an attribute that only
// programs read.
func shown(before string) bool {
	switch attribute(before) {
	case "":
		return strings.LastIndex(before, "<textarea") <= strings.LastIndex(before, "</")
	case "title", "alt", "placeholder", "aria-label":
		return true
	}
	return false
}

// attribute is the name of the attribute in whose value the text ends, or "".
func attribute(text string) string {
	before, isValue := strings.CutSuffix(text[:strings.LastIndexByte(text, '"')+1], `="`)
	if !isValue {
		return ""
	}
	return before[strings.LastIndexFunc(before, unicode.IsSpace)+1:]
}
