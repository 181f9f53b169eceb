package standard

import (
	"bytes"
	"compress/gzip"
	"embed"
	"fmt"
	"io"
	"strconv"
	"strings"
	"sync"
)

// The data are made by internal/generate, which describes the format.
//
//go:embed data/*.gz
var files embed.FS

// load decodes the data of a version. The data are part of the program and a test reads all of
// them, so what can't be read is a broken program.
func load(version string) *Dictionary {
	d, err := decodeVersion(read(version))
	if err != nil {
		panic(fmt.Sprintf("hl7/standard: the data of version %s are broken: %v", version, err))
	}
	return d
}

// sharedTables decodes the tables on first use.
var sharedTables = sync.OnceValue(func() map[string]*table {
	tables, err := decodeTables(read("tables"))
	if err != nil {
		panic(fmt.Sprintf("hl7/standard: the data of the tables are broken: %v", err))
	}
	return tables
})

func read(name string) string {
	var text []byte
	packed, err := files.ReadFile("data/" + name + ".gz")
	if err == nil {
		var r *gzip.Reader
		if r, err = gzip.NewReader(bytes.NewReader(packed)); err == nil {
			text, err = io.ReadAll(r)
		}
	}
	if err != nil {
		panic(fmt.Sprintf("hl7/standard: the data in %s.gz are broken: %v", name, err))
	}
	return string(text)
}

// A lineReader cuts lines into their columns.
type lineReader struct {
	rest    string
	number  int
	columns []string
}

func (r *lineReader) next() bool {
	if r.rest == "" {
		return false
	}
	line, rest, _ := strings.Cut(r.rest, "\n")
	r.rest, r.columns = rest, r.columns[:0]
	r.number++
	for column := range strings.SplitSeq(line, "\t") {
		r.columns = append(r.columns, column)
	}
	return true
}

func (r *lineReader) want(n int) error {
	if len(r.columns) != n {
		return fmt.Errorf("line %d has %d columns, not %d", r.number, len(r.columns), n)
	}
	return nil
}

func (r *lineReader) int(column int) (int, error) {
	n, err := strconv.Atoi(r.columns[column])
	if err != nil {
		return 0, fmt.Errorf("line %d, column %d: %w", r.number, column+1, err)
	}
	return n, nil
}

func decodeVersion(text string) (*Dictionary, error) {
	d := &Dictionary{segments: map[string]*segment{}, types: map[string]*dataType{}, structures: map[string]*structure{}}
	r := lineReader{rest: text}
	var fields *[]Field
	var open []*[]node // the lists of the groups that the next node may belong to
	for r.next() {
		var err error
		switch r.columns[0] {
		case "V":
			if err = r.want(2); err == nil {
				d.version = r.columns[1]
			}
		case "S":
			if err = r.want(3); err == nil {
				s := &segment{name: r.columns[1], text: r.columns[2]}
				d.segments[s.name], fields = s, &s.fields
			}
		case "T":
			if err = r.want(3); err == nil {
				t := &dataType{name: r.columns[1], text: r.columns[2]}
				d.types[t.name], fields = t, &t.components
			}
		case "F":
			err = r.field(fields)
		case "M":
			if err = r.want(3); err == nil {
				s := &structure{name: r.columns[1], text: r.columns[2]}
				d.structures[s.name], open = s, append(open[:0], &s.nodes)
			}
		case "N":
			open, err = r.node(open)
		default:
			err = fmt.Errorf("line %d begins with %q", r.number, r.columns[0])
		}
		if err != nil {
			return nil, err
		}
	}
	return d, nil
}

func (r *lineReader) field(fields *[]Field) error {
	if err := r.want(7); err != nil {
		return err
	}
	usage := strings.Index(usageLetters, r.columns[1])
	if fields == nil || usage < 0 || r.columns[1] == "" {
		return fmt.Errorf("line %d: a field without a segment or with the usage %q", r.number, r.columns[1])
	}
	repeat, err := r.int(2)
	if err != nil {
		return err
	}
	length, err := r.int(3)
	if err != nil {
		return err
	}
	*fields = append(*fields, Field{
		Number: len(*fields) + 1, Name: r.columns[6], Type: r.columns[5], Table: r.columns[4],
		Usage: Usage(usage), Repeat: repeat, Length: length,
	})
	return nil
}

func (r *lineReader) node(open []*[]node) ([]*[]node, error) {
	if err := r.want(6); err != nil {
		return nil, err
	}
	depth, err := r.int(1)
	if err != nil {
		return nil, err
	}
	n := node{name: r.columns[5]}
	if n.min, err = r.int(3); err != nil {
		return nil, err
	}
	if n.max, err = r.int(4); err != nil {
		return nil, err
	}
	kind := strings.Index("SGC", r.columns[2])
	if kind < 0 || depth < 0 || depth >= len(open) {
		return nil, fmt.Errorf("line %d: a node of the kind %q at depth %d", r.number, r.columns[2], depth)
	}
	n.kind = NodeKind(kind)
	list := open[depth]
	*list = append(*list, n)
	return append(open[:depth+1], &(*list)[len(*list)-1].nodes), nil
}

func decodeTables(text string) (map[string]*table, error) {
	tables := map[string]*table{}
	r := lineReader{rest: text}
	var t *table
	for r.next() {
		switch {
		case r.columns[0] == "H" && len(r.columns) == 4:
			t = &table{id: r.columns[1], suggested: r.columns[2] == "U", text: r.columns[3]}
			tables[t.id] = t
		case r.columns[0] == "C" && len(r.columns) == 3 && t != nil:
			t.codes = append(t.codes, Code{Value: r.columns[1], Text: r.columns[2]})
		default:
			return nil, fmt.Errorf("line %d begins with %q and has %d columns", r.number, r.columns[0], len(r.columns))
		}
	}
	return tables, nil
}
