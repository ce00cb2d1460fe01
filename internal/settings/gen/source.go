package main

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"reflect"
	"strconv"
	"strings"
)

// setting is one flag as its struct field describes it.
type setting struct {
	flag, def, help string
	owner           string // package and type of the struct, such as kafkaconn.Config
	command         string // "" for a flag of the whole program
	isSwitch        bool
}

// source reads settings from source code rather than from the types themselves: a program's own are in package main, which
// nothing can import.
type source struct {
	root string
	pkgs map[string]*pkg // by folder
}

// pkg is what one package says about settings.
type pkg struct {
	name    string
	structs map[string]*ast.StructType
	texts   map[string]ast.Expr // constants and variables, by name
	imports map[string]string   // name → folder, of Sluice's own packages
}

const module = "sluice/"

func (s *source) load(folder string) (*pkg, error) {
	if p := s.pkgs[folder]; p != nil {
		return p, nil
	}
	files, err := filepath.Glob(filepath.Join(s.root, folder, "*.go"))
	if err != nil {
		return nil, fmt.Errorf("list %s: %w", folder, err)
	}
	p := &pkg{structs: map[string]*ast.StructType{}, texts: map[string]ast.Expr{}, imports: map[string]string{}}
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, 0)
		if err != nil {
			return nil, fmt.Errorf("read the source: %w", err)
		}
		p.add(parsed)
	}
	s.pkgs[folder] = p
	return p, nil
}

func (p *pkg) add(file *ast.File) {
	p.name = file.Name.Name
	for _, i := range file.Imports {
		if folder, ours := strings.CutPrefix(unquote(i.Path.Value), module); ours {
			p.imports[filepath.Base(folder)] = folder
		}
	}
	for _, d := range file.Decls {
		general, ok := d.(*ast.GenDecl)
		if !ok {
			continue
		}
		for _, spec := range general.Specs {
			switch spec := spec.(type) {
			case *ast.TypeSpec:
				if t, ok := spec.Type.(*ast.StructType); ok {
					p.structs[spec.Name.Name] = t
				}
			case *ast.ValueSpec:
				for i, name := range spec.Names {
					if i < len(spec.Values) {
						p.texts[name.Name] = spec.Values[i]
					}
				}
			}
		}
	}
}

// text is the value of a string constant, here or in another of Sluice's packages.
func (s *source) text(p *pkg, e ast.Expr) (string, error) {
	switch e := e.(type) {
	case *ast.BasicLit:
		return unquote(e.Value), nil
	case *ast.Ident:
		if v, ok := p.texts[e.Name]; ok {
			return s.text(p, v)
		}
	case *ast.SelectorExpr:
		other, err := s.load(p.imports[fmt.Sprint(e.X)])
		if err != nil {
			return "", err
		}
		if v, ok := other.texts[e.Sel.Name]; ok {
			return s.text(other, v)
		}
	}
	return "", fmt.Errorf("package %s: cannot tell the text of %v", p.name, e)
}

// vars are the program's kong.Vars: what ${name} stands for.
func (s *source) vars(p *pkg) (map[string]string, error) {
	out := map[string]string{}
	literal, ok := p.texts["vars"].(*ast.CompositeLit)
	if !ok {
		return nil, fmt.Errorf("package %s has no vars", p.name)
	}
	for _, e := range literal.Elts {
		pair, ok := e.(*ast.KeyValueExpr)
		if !ok {
			continue
		}
		key, err := s.text(p, pair.Key)
		if err != nil {
			return nil, err
		}
		if out[key], err = s.text(p, pair.Value); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// program lists the settings of the program in a folder, in the order in which its structs have them.
func (s *source) program(folder string) ([]setting, error) {
	p, err := s.load(folder)
	if err != nil {
		return nil, err
	}
	vars, err := s.vars(p)
	if err != nil {
		return nil, err
	}
	return s.fields(p, "cli", p.structs["cli"], "", vars)
}

func (s *source) fields(p *pkg, owner string, t *ast.StructType, command string, vars map[string]string) ([]setting, error) {
	if t == nil {
		return nil, fmt.Errorf("package %s has no struct %s", p.name, owner)
	}
	var out []setting
	for _, f := range t.Fields.List {
		tag := fieldTag(f)
		if name := tag.Get("name"); name != "" {
			out = append(out, setting{
				flag: name, def: expand(tag.Get("default"), vars), help: tag.Get("help"),
				owner: p.name + "." + owner, command: command, isSwitch: fmt.Sprint(f.Type) == "bool",
			})
			continue
		}
		inner, innerVars := command, vars
		if _, isCommand := tag.Lookup("cmd"); isCommand {
			inner = strings.TrimSpace(command + " " + strings.ToLower(f.Names[0].Name))
			innerVars = overridden(vars, tag)
		}
		more, err := s.inner(p, f.Type, inner, innerVars)
		if err != nil {
			return nil, err
		}
		out = append(out, more...)
	}
	return out, nil
}

// inner lists the settings of a struct within a struct: a command, or a group of settings.
func (s *source) inner(p *pkg, t ast.Expr, command string, vars map[string]string) ([]setting, error) {
	switch t := t.(type) {
	case *ast.StructType:
		return s.fields(p, "cli", t, command, vars)
	case *ast.Ident:
		return s.fields(p, t.Name, p.structs[t.Name], command, vars)
	case *ast.SelectorExpr:
		other, err := s.load(p.imports[fmt.Sprint(t.X)])
		if err != nil {
			return nil, err
		}
		return s.fields(other, t.Sel.Name, other.structs[t.Sel.Name], command, vars)
	default:
		return nil, fmt.Errorf("package %s: a field without a name tag is neither a command nor a group of settings", p.name)
	}
}

func fieldTag(f *ast.Field) reflect.StructTag {
	if f.Tag == nil {
		return ""
	}
	return reflect.StructTag(unquote(f.Tag.Value))
}

// overridden are the vars of a command: its set tags, of which there may be several, come first.
func overridden(vars map[string]string, tag reflect.StructTag) map[string]string {
	out := map[string]string{}
	for k, v := range vars {
		out[k] = v
	}
	for _, part := range strings.Split(string(tag), `set:"`)[1:] {
		pair, _, _ := strings.Cut(part, `"`)
		if k, v, ok := strings.Cut(pair, "="); ok {
			out[k] = v
		}
	}
	return out
}

// expand replaces ${name}.
func expand(text string, vars map[string]string) string {
	for name, value := range vars {
		text = strings.ReplaceAll(text, "${"+name+"}", value)
	}
	return text
}

func unquote(literal string) string {
	text, err := strconv.Unquote(literal)
	if err != nil {
		return literal
	}
	return text
}
