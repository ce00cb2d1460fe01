package projects

import (
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func parseYAML(text string) (*Set, error) { return Parse(strings.NewReader(text), "projects.yaml") }

func TestParseOrigin(t *testing.T) {
	for text, want := range map[string]string{
		"https://shop.example":          "https://shop.example",
		"HTTPS://Shop.Example":          "https://shop.example",
		"https://shop.example:443":      "https://shop.example",
		"http://shop.example:80":        "http://shop.example",
		"http://shop.example:443":       "http://shop.example:443",
		"http://localhost:3000":         "http://localhost:3000",
		"http://127.0.0.1:65535":        "http://127.0.0.1:65535",
		"http://[::1]:8080":             "http://[::1]:8080",
		"http://[2001:db8::1]":          "http://[2001:db8::1]",
		"https://xn--bcher-kva.example": "https://xn--bcher-kva.example",
		"chrome-extension://abcdefgh":   "chrome-extension://abcdefgh",
		"capacitor://localhost":         "capacitor://localhost",
	} {
		got, err := parseOrigin(text)
		assert.NoError(t, err, "%q", text)
		assert.Equal(t, want, got, "%q", text)
	}
	for _, text := range []string{
		"", "shop.example", "https://", "https:///", "https://shop.example/", "https://shop.example/path",
		"https://shop.example?x",
		"https://shop.example#x", "https://user@shop.example", "https://*.example", "https://*", "**", "null",
		"//shop.example",
		"https://shop.example:", "https://shop.example:0", "https://shop.example:65536", "https://shop.example:+1",
		"https://shop.example:080",
		"https://shop example", " https://shop.example", "https://b\u00fccher.example", "https://shop..example",
		"https://.example",
		"https://shop.example.", "https://-a", "https://[::1", "https://::1", "https://[0:0::1]",
		"https://[fe80::1%25eth0]", "https://[1.2.3.4]",
		"1https://a", "https://a, https://b", "https://" + strings.Repeat("a", 254),
	} {
		got, err := parseOrigin(text)
		assert.Error(t, err, "%q: accepted as %q", text, got)
	}
}

func TestOriginsInTheProjectsFile(t *testing.T) {
	for text, want := range map[string]struct {
		any  bool
		list []string
	}{
		"{id: a}":                         {any: true},
		"{id: a, origins: null}":          {any: true},
		`{id: a, origins: ["*"]}`:         {any: true},
		`{id: a, origins: []}`:            {},
		`{id: a, origins: ["https://a"]}`: {list: []string{"https://a"}},
		`{id: a, origins: ["https://a", "https://a:443", "http://b"]}`: {list: []string{"http://b", "https://a"}},
	} {
		set, err := parseYAML("projects: [" + text + "]")
		require.NoError(t, err, text)
		own := set.Project(0).Origins
		for _, o := range []*Origins{set.Origins(), &own} {
			var list []string
			if o.list != nil {
				for origin := range o.list.all() {
					list = append(list, string(origin))
				}
			}
			slices.Sort(list)
			assert.Equal(t, want.any, o.Any(), text)
			assert.Equal(t, want.list, list, text)
			for _, origin := range want.list {
				assert.True(t, o.Admits([]byte(origin)), "%s: %s", text, origin)
			}
			assert.Equal(t, want.any, o.Admits([]byte("https://other")), text)
		}
	}
	for _, text := range []string{
		`[{id: a, origins: ["shop.example"]}]`,
		`[{id: a, origins: ["https://a/"]}, {id: b, origins: "https://a"}]`,
		`[{id: a, origins: [""]}]`,
	} {
		_, err := parseYAML("projects: " + text)
		assert.Error(t, err, text)
	}
	_, err := parseYAML(`projects: [{id: a, origins: ["x"]}, {id: b, origins: ["https://y/z"]}]`)
	assert.ErrorContains(t, err, `"x"`)
	assert.ErrorContains(t, err, `"https://y/z"`)
}
