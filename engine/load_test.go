package engine_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/ladlehq/ladle/engine"
	"github.com/ladlehq/ladle/tlsconfig/secret"
)

// A sink has a setting of every kind.
type sink struct {
	Text     string            `yaml:"text"`
	Folder   string            `yaml:"folder" ladle:"path"`
	Files    []string          `yaml:"files" ladle:"path"`
	Flag     bool              `yaml:"flag"`
	Count    int               `yaml:"count"`
	Small    uint8             `yaml:"small"`
	Ratio    float64           `yaml:"ratio"`
	Wait     time.Duration     `yaml:"wait"`
	Limit    engine.Size       `yaml:"limit"`
	Password secret.Secret     `yaml:"password"`
	Map      map[string]string `yaml:"map"`
	Inner    *inner            `yaml:"inner"`
	List     []inner           `yaml:"list"`
	Common   common            `yaml:",inline"`
	Untagged string
	Hidden   string `yaml:"-"`
}

type inner struct {
	A string `yaml:"a"`
}

type common struct {
	B string `yaml:"b"`
}

func (s *sink) Do(context.Context, *engine.Message) error { return nil }

func (s *sink) Prepare(engine.Env) error {
	if s.Text == "wrong" {
		return errors.Join(engine.InField("text", errors.New("is wrong")), engine.InField("inner.a", errors.New("is missing")))
	}
	return nil
}

type source struct {
	*pipe `yaml:"-"`
	From  string `yaml:"from"`
}

func registry(t *testing.T) *engine.Registry {
	t.Helper()
	var r engine.Registry
	if err := errors.Join(engine.RegisterReceiver[source](&r, "source"), engine.RegisterActivity[sink](&r, "sink"), engine.RegisterActivity[sink](&r, "other")); err != nil {
		t.Fatal(err)
	}
	return &r
}

// load writes text into a file and loads it. The file's folder is cut out of errors.
func load(t *testing.T, text string) (*engine.Config, string) {
	t.Helper()
	dir := t.TempDir()
	for name, content := range map[string]string{"w.yaml": text, "password": "top secret: yes\r\n", "long": strings.Repeat("x", 70000)} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	c, err := engine.Load(registry(t), filepath.Join(dir, "w.yaml"))
	if err == nil {
		return c, ""
	}
	return nil, strings.ReplaceAll(err.Error(), dir+string(filepath.Separator), "")
}

const head = "workflows:\n- name: w\n  receiver: {source: {from: here}}\n  activities:\n"

func TestLoadEveryKindOfSetting(t *testing.T) {
	t.Setenv("LADLE_TEST_VALUE", "a: b, [c]")
	c, mistakes := load(t, head+`  - name: first
    timeout: 2m
    sink: &base
      text: 0042
      folder: sub/folder
      files: one.pem
      flag: true
      count: -3
      small: 255
      ratio: 0.5
      wait: 1m30s
      limit: 2MiB
      password: "${file:password}"
      map: {a: "${env:LADLE_TEST_VALUE}", b: "${PID-3}$${env:x}"}
      inner: {a: x}
      list: [{a: "1"}, {a: "2"}]
      b: inlined
      untagged: yes
  - other:
      <<: *base
      text: merged
  - sink:
  response: {with: {reply-of: first}}
`)
	if mistakes != "" {
		t.Fatal(mistakes)
	}
	dir := filepath.Dir(c.File)
	want := sink{
		Text: "0042", Folder: filepath.Join(dir, "sub/folder"), Files: []string{filepath.Join(dir, "one.pem")}, Flag: true, Count: -3, Small: 255, Ratio: 0.5,
		Wait: 90 * time.Second, Limit: 2 * engine.MiB, Password: "top secret: yes", Map: map[string]string{"a": "a: b, [c]", "b": "${PID-3}$${env:x}"},
		Inner: &inner{"x"}, List: []inner{{"1"}, {"2"}}, Common: common{"inlined"}, Untagged: "yes",
	}
	w := c.Workflows[0]
	if got := w.Activities[0].Activity; !reflect.DeepEqual(got, &want) {
		t.Errorf("got\n%+v, want\n%+v", got, &want)
	}
	want.Text = "merged"
	if got := w.Activities[1].Activity; !reflect.DeepEqual(got, &want) {
		t.Errorf("merged: got\n%+v, want\n%+v", got, &want)
	}
	if got := w.Activities[2].Activity; !reflect.DeepEqual(got, &sink{}) {
		t.Errorf("empty: got %+v", got)
	}
	if w.Activities[0].Timeout != 2*time.Minute || w.Activities[0].Name != "first" || w.Response.With.ReplyOf != "first" {
		t.Errorf("got %+v", w)
	}
	if _, err := c.Engine(); err != nil {
		t.Error(err)
	}
}

func TestLoadMistakes(t *testing.T) {
	t.Parallel()
	step := head + "  - sink: "
	for name, c := range map[string]struct{ text, want string }{
		"empty":            {"", "w.yaml: the file is empty: it needs a list of workflows"},
		"comment only":     {"# nothing\n", "w.yaml: the file is empty: it needs a list of workflows"},
		"no mapping":       {"just words\n", "w.yaml:1:1: want settings by name here, this is a single value"},
		"syntax":           {"workflows:\n- name: [a\n", "w.yaml:2:1: not well-formed YAML: did not find expected ',' or ']'"},
		"tab":              {"workflows:\n\t- name: a\n", "w.yaml:2:1: a tab in the indentation: YAML is indented with spaces"},
		"two documents":    {"a: b\n---\nc: d\n", "w.yaml:2:1: a second document begins here: a workflow file holds one"},
		"unknown key":      {"workflow: []\n", `w.yaml:1:1: unknown key "workflow": did you mean "workflows"?`},
		"far key":          {"quite: else\n", `w.yaml:1:1: unknown key "quite": known here are workflows`},
		"twice":            {step + "{text: a, text: b}\n", `w.yaml:5:21: "text" is given twice, first in line 5`},
		"null":             {step + "{text: }\n", "w.yaml:5:18: a value is missing: give one, or leave the key out"},
		"list for text":    {step + "{text: [a]}\n", "w.yaml:5:18: want a single value here, this is a list"},
		"map for text":     {step + "{text: {a: b}}\n", "w.yaml:5:18: want a single value here, this is settings by name"},
		"text for map":     {step + "{map: a}\n", "w.yaml:5:17: want settings by name here, this is a single value"},
		"bool":             {step + "{flag: yes}\n", `w.yaml:5:18: "yes" is neither true nor false`},
		"int":              {step + "{count: 1.5}\n", `w.yaml:5:19: "1.5" is no whole number`},
		"uint":             {step + "{small: 256}\n", `w.yaml:5:19: "256" is no whole number from 0 up`},
		"float":            {step + "{ratio: half}\n", `w.yaml:5:19: "half" is no number`},
		"bare duration":    {step + "{wait: 30}\n", "w.yaml:5:18: 30 is a time without a unit: write 30s or 30m"},
		"duration":         {step + "{wait: soon}\n", `w.yaml:5:18: "soon" is no time: write for example 30s or 5m`},
		"size":             {step + "{limit: big}\n", `w.yaml:5:19: "big" is no size: write for example 16MiB`},
		"unit":             {step + "{limit: 3KM}\n", `w.yaml:5:19: "KM" is no unit of size: write for example 16MiB`},
		"large size":       {step + "{limit: 99999999999GiB}\n", `w.yaml:5:19: "99999999999GiB" is too large`},
		"env":              {step + `{text: "${env:LADLE_NOT_SET}"}` + "\n", "w.yaml:5:18: ${env:LADLE_NOT_SET}: the environment variable is not set"},
		"no env":           {step + `{text: "${env:}"}` + "\n", "w.yaml:5:18: ${env:}: the name is missing"},
		"file":             {step + `{password: "${file:missing}"}` + "\n", "w.yaml:5:22: ${file:missing}: can't read the file: no such file or directory"},
		"long file":        {step + `{password: "${file:long}"}` + "\n", "w.yaml:5:22: ${file:long}: the file is larger than 64KiB"},
		"unknown type":     {head + "  - snik: {}\n", `w.yaml:5:5: unknown key "snik": did you mean "sink"?`},
		"two types":        {head + "  - sink: {}\n    other: {}\n", "w.yaml:6:5: sink and other in one place: write a list item for each"},
		"no type":          {head + "  - name: x\n", "w.yaml:5:5: there is no activity here: name one of other, sink"},
		"no step":          {head + "  - sink\n", "w.yaml:5:5: want settings by name here, this is a single value"},
		"unknown receiver": {"workflows:\n- name: w\n  receiver: {sauce: {}}\n", `w.yaml:3:14: unknown receiver "sauce": did you mean "source"?`},
		"two receivers":    {"workflows:\n- name: w\n  receiver: {source: {}, source2: {}}\n", `w.yaml:3:26: unknown receiver "source2": did you mean "source"?`},
		"bare receiver":    {"workflows:\n- name: w\n  receiver: source\n", "w.yaml:3:13: want the receiver's type and its settings, such as {source: {...}}"},
		"empty receiver":   {"workflows:\n- name: w\n  receiver: {}\n", "w.yaml:3:13: there is no receiver here: name one of source"},
		"no receiver":      {"workflows:\n- name: w\n", "w.yaml:2:3: receiver: a workflow needs a receiver"},
		"no name":          {"workflows:\n- receiver: {source: {}}\n", "w.yaml:2:3: name: a workflow needs a name"},
		"no workflow":      {"workflows: []\n", "w.yaml:1:12: workflows: there is no workflow to run"},
		"with":             {head + "  - sink: {}\n  response: {with: nothing}\n", `w.yaml:6:20: "nothing" is no answer: write ack, none, {reply-of: NAME} or {template: TEXT}`},
		"reply-of":         {head + "  - sink: {}\n    name: Labor\n  response: {with: {reply-of: labor}}\n", `w.yaml:7:31: reply-of: no activity of this workflow is called "labor": did you mean "Labor"?`},
		"prepared":         {step + "{inner: {b: c}, text: wrong}\n", "w.yaml:5:20: unknown key \"b\": known here are a\nw.yaml:5:33: text: is wrong"},
		"prepared, absent": {step + "{text: wrong}\n", "w.yaml:5:11: a: is missing\nw.yaml:5:18: text: is wrong"},
		"in order, all":    {step + "{count: x, flag: y, ratio: z}\n", "w.yaml:5:19: \"x\" is no whole number\nw.yaml:5:28: \"y\" is neither true nor false\nw.yaml:5:38: \"z\" is no number"},
		"key that is none": {step + "{? [a] : b}\n", "w.yaml:5:14: a key must be a plain word, this is a list"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if _, got := load(t, c.text); got != c.want {
				t.Errorf("%s\ngot  %s\nwant %s", c.text, got, c.want)
			}
		})
	}
}

// Small files that grow without bound when they are followed are refused, and quickly.
func TestLoadBombs(t *testing.T) {
	t.Parallel()
	var deep, laughs strings.Builder
	deep.WriteString("workflows: " + strings.Repeat("[", 5000) + strings.Repeat("]", 5000))
	laughs.WriteString("a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n")
	for i := 1; i < 9; i++ {
		laughs.WriteString(strings.ReplaceAll("aN: &aN [*aM,*aM,*aM,*aM,*aM,*aM,*aM,*aM,*aM,*aM]\n", "N", string(rune('0'+i))))
	}
	text := laughs.String()
	for i := 1; i < 9; i++ {
		text = strings.Replace(text, "*aM,*aM,*aM,*aM,*aM,*aM,*aM,*aM,*aM,*aM", strings.Repeat("*a"+string(rune('0'+i-1))+",", 9)+"*a"+string(rune('0'+i-1)), 1)
	}
	text += head + "  - sink: {files: *a8}\n"
	selfish := head + "  - sink: &a {<<: [*a, *a, *a, *a], text: x}\n"
	inside := head + "  - sink: {list: &l [*l, *l, *l]}\n"
	for _, bomb := range []string{deep.String(), text, selfish, inside} {
		_, got := load(t, bomb)
		if got == "" || len(got) > 1<<20 {
			t.Errorf("%.60q: %d bytes of error", bomb, len(got))
		}
	}
}

func TestRegistryRefuses(t *testing.T) {
	t.Parallel()
	r := registry(t)
	for name, want := range map[string]string{
		"sink": `activity "sink" is registered already`, "Sink": "can't be the name", "": "can't be the name", "queue": "it is a setting of every step",
	} {
		if err := engine.RegisterActivity[sink](r, name); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: got %v", name, err)
		}
	}
}

func TestSizeText(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]engine.Size{"0": 0, "512": 512, "3 MiB": 3 * engine.MiB, "2GB": 2e9, "7kB": 7000, "1B": 1} {
		var s engine.Size
		if err := s.UnmarshalText([]byte(text)); err != nil || s != want {
			t.Errorf("%s: got %d, %v", text, s, err)
		}
	}
	for s, want := range map[engine.Size]string{0: "0B", 1000: "1000B", 16 * engine.MiB: "16MiB", engine.GiB: "1GiB"} {
		if s.String() != want {
			t.Errorf("%d: got %s", int64(s), s)
		}
	}
}

// Whatever a file holds, it loads or is refused, each mistake with a place inside of it.
func FuzzLoad(f *testing.F) {
	f.Add(head + "  - sink: &a {text: x, wait: 3s, list: [{a: b}], map: {a: b}}\n  - other: {<<: *a}\n")
	f.Add("workflows: [{name: w, receiver: {source: {from: ${env:X}}}}]")
	f.Add("a: &a [*a]")
	f.Add("? [x]\n: {y: !!binary z}\n<<: 3")
	var r engine.Registry
	if err := errors.Join(engine.RegisterReceiver[source](&r, "source"), engine.RegisterActivity[sink](&r, "sink"), engine.RegisterActivity[sink](&r, "other")); err != nil {
		f.Fatal(err)
	}
	file := filepath.Join(f.TempDir(), "w.yaml")
	f.Fuzz(func(t *testing.T, text string) {
		if strings.Contains(text, "${file") {
			return // what lies about on the machine is no part of the test
		}
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := engine.Load(&r, file)
		if err == nil {
			return
		}
		joined, ok := err.(interface{ Unwrap() []error })
		if !ok {
			joined = oneError{err}
		}
		// YAML ends lines with these, too.
		lines := 2 // a value that is missing at the end stands behind it
		for _, end := range []string{"\n", "\r", "\u0085", "\u2028", "\u2029"} {
			lines += strings.Count(text, end)
		}
		for _, e := range joined.Unwrap() {
			if c, ok := errors.AsType[*engine.ConfigError](e); !ok || c.File != file || c.Line < 0 || c.Line > lines {
				t.Errorf("%v (%d lines)", e, lines)
			}
		}
	})
}

type oneError struct{ error }

func (o oneError) Unwrap() []error { return []error{o.error} }
