package conffile

import (
	"fmt"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/require"
)

// gathered is a sink that records everything.
type gathered struct {
	items  []string
	faults []string
}

func (g *gathered) Item(n *Node) bool {
	g.items = append(g.items, fmt.Sprintf("%d:%s", n.Line, text(n)))
	return true
}

func (g *gathered) Fault(f *Fault) bool {
	g.faults = append(g.faults, f.Error())
	return true
}

// text formats a node the same way for both file formats.
func text(n *Node) string {
	var parts []string
	switch n.Kind {
	case Scalar:
		if n.Quoted {
			return fmt.Sprintf("%q", n.Text)
		}
		return n.Text
	case List:
		for i := range n.Items {
			parts = append(parts, text(&n.Items[i]))
		}
		return "[" + strings.Join(parts, " ") + "]"
	default:
		for k, v := range n.Pairs {
			parts = append(parts, k.Text+":"+text(v))
		}
		return "{" + strings.Join(parts, " ") + "}"
	}
}

func list(t *testing.T, file string) gathered {
	t.Helper()
	var g, slow gathered
	require.NoError(t, ReadList(strings.NewReader(file), "items", &g))
	if len(file) >= MaxItemBytes {
		return g
	}
	require.NoError(t, ReadList(iotest.OneByteReader(strings.NewReader(file)), "items", &slow))
	require.Equal(t, g, slow)
	return g
}

// The same two items, in every form of a list.
func TestListForms(t *testing.T) {
	for name, file := range map[string]string{
		"dashes":              "items:\n  - {a: 1}\n  - {b: [x, y]}\n",
		"dashes, margin":      "items:\n- a: 1\n- b: [x, y]\n",
		"dashes, deep":        "items:\n        - a: 1\n        - b:\n            - x\n            - y",
		"dash alone":          "items:\n  -\n    a: 1\n  -\n    b:\n    - x\n    - y\n",
		"comments":            "# c\n\nitems: # c\n# c\n  - a: 1 # c\n# - z: 1\n\n  # c\n  - b: [x, y]\n# c\n",
		"CRLF":                "items:\r\n  - a: 1\r\n  - b: [x, y]\r\n",
		"byte-order mark":     "\ufeffitems:\n  - a: 1\n  - b: [x, y]\n",
		"marker":              "---\nitems:\n  - a: 1\n  - b: [x, y]\n...\n# c\n",
		"marker on the line":  "--- # c\nitems:\n  - a: 1\n  - b: [x, y]",
		"quoted name":         "\"items\":\n  - a: 1\n  - b: [x, y]\n",
		"indented":            "  items:\n    - a: 1\n    - b: [x, y]\n",
		"indented, same":      "  items:\n  - a: 1\n  - b: [x, y]\n",
		"brackets":            "items: [{a: 1}, {b: [x, y]}]",
		"brackets, comma":     "items: [{a: 1}, {b: [x, y]},]",
		"brackets, below":     "items:\n  [{a: 1},\n   {b: [x, y]}]\n",
		"brackets, lines":     "items: [\n  {a: 1}, # , ]\n  # , ]\n  {b: [x,\n   y]}\n]\n# c\n",
		"pair without braces": "items: [a: 1, b: [x, y]]",
		"JSON":                `{"items":[{"a":1},{"b":[x,y]}]}`,
		"JSON, lines":         "{\n  \"items\": [\n    {\"a\": 1},\n    {\"b\": [x, y]}\n  ]\n}\n",
		"JSON, comma":         "{items: [{a: 1}, {b: [x, y]}], }",
	} {
		t.Run(name, func(t *testing.T) {
			g := list(t, file)
			require.Empty(t, g.faults)
			require.Len(t, g.items, 2)
			for i, want := range []string{"{a:1}", "{b:[x y]}"} {
				line, got, _ := strings.Cut(g.items[i], ":")
				require.Equal(t, want, got)
				lines := strings.Split(file, "\n")
				at := 0
				_, err := fmt.Sscan(line, &at)
				require.NoError(t, err)
				require.Contains(t, strings.Join(lines[at-1:min(at+1, len(lines))], ""), []string{"a", "b"}[i], "line %d", at)
			}
		})
	}
}

// Texts that contain characters of the list syntax.
func TestListTexts(t *testing.T) {
	for file, want := range map[string]string{
		"items: [{a: \"}, {\"}]":                      `{a:"}, {"}`,
		"items: [{a: '], '''}]":                       `{a:"], '"}`,
		`items: [{a: "\"], "}]`:                       `{a:"\"], "}`,
		"items: [{a: it's}]":                          `{a:it's}`,
		"items: [{a: x#y}]":                           `{a:x#y}`,
		"items: [{\"a\":\"],\"}]":                     `{a:"],"}`,
		"items:\n  - a: \"\n      - b\"\n":            `{a:" - b"}`,
		"items:\n  - a: |\n      - b\n      # c\n":    `{a:"- b\n# c\n"}`,
		"items:\n  - a: \"# no comment\"\n":           `{a:"# no comment"}`,
		"items:\n  - a:\n    - b\n    -\n      - c\n": `{a:[b [c]]}`,
	} {
		g := list(t, file)
		require.Empty(t, g.faults, file)
		require.Len(t, g.items, 1, file)
		_, got, _ := strings.Cut(g.items[0], ":")
		require.Equal(t, want, got, file)
	}
}

// A fault names its line, and the items around it are read.
func TestListFaults(t *testing.T) {
	for file, want := range map[string]struct {
		fault string
		items int
	}{
		"":                                     {"", 0},
		"# c":                                  {"", 0},
		"items:":                               {"", 0},
		"items: null # c":                      {"", 0},
		"items: ~":                             {"", 0},
		"items: []":                            {"", 0},
		"{}":                                   {"", 0},
		"items: 7":                             {"line 1: items must be a list", 0},
		"items:\n  a: 1":                       {"line 2: items must be a list", 0},
		"items: {a: 1}":                        {"line 1: items must be a list", 0},
		"items: !!seq []":                      {"line 1: items must be a list", 0},
		"items: &a []":                         {"line 1: items must be a list", 0},
		"{items: 7}":                           {"line 1: items must be a list", 0},
		"- a: 1":                               {"line 1: the file must be a mapping", 0},
		"words":                                {"line 1: the file must be a mapping", 0},
		"itms:\n- a: 1":                        {`line 1: unknown field "itms"`, 0},
		"items:\n- a: 1\nother: 1":             {`line 3: unknown field "other"`, 1},
		"items:\n- a: 1\nitems:\n- a: 2":       {`line 3: "items" is given twice`, 1},
		"{items: [{a: 1}], other: 1}":          {`line 1: unknown field "other"`, 1},
		"items:\n- a: 1\n---\nitems:\n- b: 1":  {"line 3: a second YAML document", 1},
		"items:\n- a: 1\n---\n":                {"line 3: a second YAML document", 1},
		"items:\n- a: 1\n...\nitems: []":       {"line 4: a second YAML document", 1},
		"items: [{a: 1}]\n---\n":               {"line 2: a second YAML document", 1},
		"---\n---\nitems:\n- a: 1":             {"line 2: the file must be a mapping", 0},
		"%YAML 1.1\n---\nitems:\n- a: 1":       {"line 1: YAML directives", 0},
		"items:\n- a: 1\n\t- b: 1":             {"line 3: a tab in the indentation", 1},
		"items:\n- a: 1\n \tb: 1":              {"line 3: not YAML", 0},
		"items:\n- a: [1\n- b: 1":              {"line 2: not YAML", 1},
		"items:\n- a: \"1\n- b: 1\n- c: \"2\"": {"begins at line 2)", 2},
		"items:\n- a: 1\n  a: 2\n- b: 1":       {`line 3: "a" is given twice`, 1},
		"items:\n- a: &x 1\n- b: *x":           {"anchors and aliases", 0},
		"items:\n- a: *hunter2":                {"line 2: anchors and aliases", 0},
		"items:\n- a: !!str 1\n- b: 1":         {"line 2: tags are not supported", 1},
		"items:\n- a: !hunter2 1\n- b: 1":      {"line 2: tags are not supported", 1},
		"items:\n- a: !!binary aGk=\n- b: 1":   {"line 2: tags are not supported", 1},
		"items:\n- <<: {a: 1}\n- b: 1":         {"line 2: merge keys", 1},
		"items:\n- a: @x\n- b: 1":              {"line 2: not YAML", 1},
		"items:\n- ? [a]\n  : 1\n- b: 1":       {"line 2: a key must be a word", 1},
		"items: [{a: 1}, {b: }}, {c: 1}]":      {"line 1: ", 1},
		"items: [{a: 1}":                       {"the file ends within a bracket", 1},
		"items: [{a: 1}] x":                    {"line 1: the file must be a mapping", 1},
		"items:\n- a: 1\r- b: 1":               {"line 2: a carriage return", 0},
		"items:\n- a: \"x\u2028y\"":            {"line 2: a Unicode line separator", 0},
		"items:\n- a: x\u0085y":                {"line 2: a Unicode line separator", 0},
		"items:\n- a: x\n\ufeff- b: y":         {"line 3: a byte-order mark", 1},
		"items:\n- a: \xff":                    {"line 2: not UTF-8", 0},
		"items:\n- a: x\x00y":                  {"line 2: a NUL", 0},
		"\xff\xfei\x00t\x00e\x00m\x00s\x00":    {"UTF-16", 0},
		"i\x00t\x00e\x00m\x00s\x00:\x00":       {"UTF-16", 0},
		"items:\n- a: " + strings.Repeat("x", MaxItemBytes): {"line 2: the item that begins here is larger", 0},
	} {
		g := list(t, file)
		if want.fault == "" {
			require.Empty(t, g.faults, file)
		} else {
			require.NotEmpty(t, g.faults, file)
			require.Contains(t, strings.Join(g.faults, "; "), want.fault, file)
			require.NotContains(t, strings.Join(g.faults, "; "), "hunter2")
		}
		if len(file) < 1000 {
			require.Len(t, g.items, want.items, "%s\n%v", file, g)
		}
	}
}

// Line numbers stay right over many chunks, and one bad item is one fault.
func TestListOfManyChunks(t *testing.T) {
	for _, form := range []struct{ head, item, bad, tail string }{
		{"items:\n", "  - {a: \"%d\",\n     b: [1]}\n", "  - {a: \"%d\",\n     b: [1}\n", ""},
		{"items: [", "{a: \"%d\",\n b: [1]},\n", "{a: \"%d\",\n a: [1]},\n", "]"},
	} {
		var file strings.Builder
		file.WriteString(form.head)
		const n, bad = 20_000, 12_345
		for i := range n {
			if i == bad {
				fmt.Fprintf(&file, form.bad, i)
			} else {
				fmt.Fprintf(&file, form.item, i)
			}
		}
		file.WriteString(form.tail)
		var g gathered
		require.NoError(t, ReadList(strings.NewReader(file.String()), "items", &g))
		require.Len(t, g.faults, 1)
		require.Len(t, g.items, n-1)
		first := strings.Count(form.head, "\n") + 1
		require.Contains(t, g.faults[0], fmt.Sprintf("begins at line %d)", first+2*bad))
		require.Equal(t, fmt.Sprintf(`%d:{a:"%d" b:[1]}`, first+2*(n-1), n-1), g.items[n-2])
	}
}

func TestJSONLines(t *testing.T) {
	var g gathered
	file := "\ufeff{\"a\":\"1\"}\r\n\n{\"b\":[1,{\"c\":null,\"d\":true}]}\n{\"a\":1,\"a\":2}\n[1]\n{\"a\":1} {\"b\":2}\n{\"a\":01}\n{\"a\"\n{\"e\":\"\\u0041\\n\"}" +
		"\nnull\n\"hunter2\"\n{\"hunter2\":1,\"hunter2\":2}\n{\"a\":'hunter2'}\n{a:1}\n{\"a\":1,}\n// c\n{\"a\":\"\xff\"}\n{\"a\":NaN}\n{\"a\":1}"
	require.NoError(t, ReadJSONLines(strings.NewReader(file), &g))
	require.Equal(t, []string{`1:{a:"1"}`, "3:{b:[1 {c:null d:true}]}", `9:{e:"A\n"}`, "19:{a:1}"}, g.items)
	require.Len(t, g.faults, 14)
	for _, f := range g.faults {
		require.NotContains(t, f, "hunter2")
	}
	require.Contains(t, g.faults[0], "line 4: a name is given twice")
}
