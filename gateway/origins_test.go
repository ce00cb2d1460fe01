package gateway

import (
	"slices"
	"strings"
	"testing"
	"time"
)

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
		if got, err := parseOrigin(text); err != nil || got != want {
			t.Errorf("%q: got %q, %v", text, got, err)
		}
	}
	for _, text := range []string{
		"", "shop.example", "https://", "https:///", "https://shop.example/", "https://shop.example/path", "https://shop.example?x",
		"https://shop.example#x", "https://user@shop.example", "https://*.example", "https://*", "**", "null", "//shop.example",
		"https://shop.example:", "https://shop.example:0", "https://shop.example:65536", "https://shop.example:+1", "https://shop.example:080",
		"https://shop example", " https://shop.example", "https://b\u00fccher.example", "https://shop..example", "https://.example",
		"https://shop.example.", "https://-a", "https://[::1", "https://::1", "https://[0:0::1]", "https://[fe80::1%25eth0]", "https://[1.2.3.4]",
		"1https://a", "https://a, https://b", "https://" + strings.Repeat("a", 254),
	} {
		if got, err := parseOrigin(text); err == nil {
			t.Errorf("%q: accepted as %q", text, got)
		}
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
		projects, err := parseProjects([]byte("projects: ["+strings.TrimSuffix(text, "}")+", keys: [{name: k, sha256: "+hash("k")+"}]}]"), nil, time.Now())
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		for _, o := range []*origins{&projects.origins, &projects.find([]byte("k")).origins} {
			var list []string
			if o.list != nil {
				for origin := range o.list.all() {
					list = append(list, string(origin))
				}
			}
			slices.Sort(list)
			if o.any != want.any || !slices.Equal(list, want.list) {
				t.Errorf("%s: got %v", text, o)
			}
		}
	}
	for _, text := range []string{
		`[{id: a, origins: ["shop.example"]}]`,
		`[{id: a, origins: ["https://a/"]}, {id: b, origins: "https://a"}]`,
		`[{id: a, origins: [""]}]`,
	} {
		if _, err := parseProjects([]byte("projects: "+text), nil, time.Now()); err == nil {
			t.Errorf("%s: accepted", text)
		}
	}
	_, err := parseProjects([]byte(`projects: [{id: a, origins: ["x"]}, {id: b, origins: ["https://y/z"]}]`), nil, time.Now())
	if err == nil || !strings.Contains(err.Error(), `"x"`) || !strings.Contains(err.Error(), `"https://y/z"`) {
		t.Errorf("not every fault is named: %v", err)
	}
}
