package v2xml_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ladlehq/ladle/hl7"
	"github.com/ladlehq/ladle/hl7/standard/v2xml"
)

const oru = "MSH|^~\\&|LAB^1.2^ISO||||20260305||ORU^R01^ORU_R01|M1|P|2.5.1\r" +
	"PID|1||4711^^^HOSP&1.2~4712||Müller&von^Jörg||\"\"||\r" +
	"OBR|1|||718-7^H \\T\\ B\rOBX|1|CE|A||c^t|<\\T\\>\rNTE|1||\\H\\a\\N\\\\.br\\b\\X07\\\\X0D\\| \rOBX|2|ST|B||5\rZZ1|x^y&z|\r"

const oruXML = `<?xml version="1.0" encoding="UTF-8"?>
<ORU_R01 xmlns="urn:hl7-org:v2xml">
<MSH><MSH.1>|</MSH.1><MSH.2>^~\&amp;</MSH.2><MSH.3><HD.1>LAB</HD.1><HD.2>1.2</HD.2><HD.3>ISO</HD.3></MSH.3><MSH.7><TS.1>20260305</TS.1></MSH.7><MSH.9><MSG.1>ORU</MSG.1><MSG.2>R01</MSG.2><MSG.3>ORU_R01</MSG.3></MSH.9><MSH.10>M1</MSH.10><MSH.11><PT.1>P</PT.1></MSH.11><MSH.12><VID.1>2.5.1</VID.1></MSH.12></MSH>
<ORU_R01.PATIENT_RESULT>
<ORU_R01.PATIENT>
<PID><PID.1>1</PID.1><PID.3><CX.1>4711</CX.1><CX.4><HD.1>HOSP</HD.1><HD.2>1.2</HD.2></CX.4></PID.3><PID.3><CX.1>4712</CX.1></PID.3><PID.5><XPN.1><FN.1>Müller</FN.1><FN.2>von</FN.2></XPN.1><XPN.2>Jörg</XPN.2></PID.5><PID.7>""</PID.7></PID>
</ORU_R01.PATIENT>
<ORU_R01.ORDER_OBSERVATION>
<OBR><OBR.1>1</OBR.1><OBR.4><CE.1>718-7</CE.1><CE.2>H &amp; B</CE.2></OBR.4></OBR>
<ORU_R01.OBSERVATION>
<OBX><OBX.1>1</OBX.1><OBX.2>CE</OBX.2><OBX.3><CE.1>A</CE.1></OBX.3><OBX.5><CE.1>c</CE.1><CE.2>t</CE.2></OBX.5><OBX.6><CE.1>&lt;&amp;&gt;</CE.1></OBX.6></OBX>
<NTE><NTE.1>1</NTE.1><NTE.3><escape V="H"/>a<escape V="N"/><escape V=".br"/>b<escape V="X07"/>&#xD;</NTE.3><NTE.4><CE.1> </CE.1></NTE.4></NTE>
</ORU_R01.OBSERVATION>
<ORU_R01.OBSERVATION>
<OBX><OBX.1>2</OBX.1><OBX.2>ST</OBX.2><OBX.3><CE.1>B</CE.1></OBX.3><OBX.5>5</OBX.5></OBX>
<ZZ1><ZZ1.1><ZZ1.1.1>x</ZZ1.1.1><ZZ1.1.2><ZZ1.1.2.1>y</ZZ1.1.2.1><ZZ1.1.2.2>z</ZZ1.1.2.2></ZZ1.1.2></ZZ1.1></ZZ1>
</ORU_R01.OBSERVATION>
</ORU_R01.ORDER_OBSERVATION>
</ORU_R01.PATIENT_RESULT>
</ORU_R01>
`

func parse(t testing.TB, raw string) *hl7.Message {
	t.Helper()
	m, err := hl7.Parse([]byte(raw))
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func TestMarshal(t *testing.T) {
	t.Parallel()
	b, err := v2xml.Marshal(parse(t, oru))
	if err != nil || string(b) != oruXML {
		t.Errorf("%v, got\n%s, want\n%s", err, b, oruXML)
	}
	for raw, want := range map[string]string{
		"MSH|^~\\&|A||||||ADT^A99|1|P|2.5\rPID|1\r":     "<ADT_A99 xmlns=\"urn:hl7-org:v2xml\">\n<MSH>",
		"MSH|^~\\&|A||||||!!^x|1|P|9.9\r":               "<MESSAGE xmlns=",
		"MSH|^~\\&|A||||||ACK|1|P|2.5\rNTE|||\"\\X22\\": "<NTE.3>\"<escape V=\"X22\"/></NTE.3>",
	} {
		if b, err := v2xml.Marshal(parse(t, raw)); err != nil || !strings.Contains(string(b), want) {
			t.Errorf("%q: %v\n%s", raw, err, b)
		}
	}
	for raw, want := range map[string]string{
		"MSH|^~\\&|A\rtorn off":  "segment 2 has no name",
		"MSH|^~\\&|A\rMSH|^~\\&": "segment 2 is another header",
		"MSH|^~\\&|A\rBTS|1":     "or the end of a batch",
	} {
		if _, err := v2xml.Marshal(parse(t, raw)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v", raw, err)
		}
	}
}

func TestUnmarshal(t *testing.T) {
	t.Parallel()
	m, err := v2xml.Unmarshal([]byte(oruXML))
	if err != nil {
		t.Fatal(err)
	}
	want := strings.NewReplacer("||\rOBR", "\rOBR", "z|\r", "z\r").Replace(oru)
	if got := string(m.Bytes()); got != want {
		t.Errorf("got\n%q, want\n%q", got, want)
	}
	for document, want := range map[string]string{
		"<A><MSH><MSH.1>$</MSH.1><MSH.2>%</MSH.2><MSH.3><HD.2>x|$</HD.2></MSH.3></MSH></A>":                          "",
		"<A><MSH/><PID> <PID.2/>\n<PID.2>x</PID.2><PID.2/><PID.5>y</PID.5></PID></A>":                                "MSH|^~\\&\rPID||~x~|||y\r",
		"<A><MSH><MSH.18>8859/1</MSH.18></MSH><g><PID><PID.1>é|</PID.1></PID></g></A>":                               "MSH|^~\\&||||||||||||||||8859/1\rPID|\xe9\\F\\\r",
		"<A><MSH><MSH.18>BIG-5</MSH.18></MSH><PID><PID.1>四</PID.1></PID></A>":                                        "MSH|^~\\&||||||||||||||||BIG-5\rPID|\xa5|\r",
		"<A><MSH><MSH.18/><MSH.18>ISO IR87</MSH.18></MSH><PID><PID.1>山</PID.1></PID></A>":                            "MSH|^~\\&||||||||||||||||~ISO IR87\rPID|\x1b$B;3\x1b(B\r",
		"<A><MSH><MSH.18>KLINGON</MSH.18></MSH><PID><PID.1>é</PID.1></PID></A>":                                      "MSH|^~\\&||||||||||||||||KLINGON\rPID|é\r",
		"<!-- c --><A xmlns:x=\"y\"><x:MSH/><!-- c --><ZZZ><ZZZ.1><q.2>a<!-- c -->b</q.2></ZZZ.1></ZZZ></A><?pi?>\n": "MSH|^~\\&\rZZZ|^ab\r",
		"<A><MSH/><NTE><NTE.1><escape V=\".br\"></escape>x</NTE.1></NTE></A>":                                        "MSH|^~\\&\rNTE|\\.br\\x\r",
		"<A><MSH/><NTE><NTE.1>\"\"</NTE.1></NTE></A>":                                                                "MSH|^~\\&\rNTE|\"\"\r",
	} {
		m, err := v2xml.Unmarshal([]byte(document))
		if want == "" {
			if err == nil {
				t.Errorf("%s is read", document)
			}
			continue
		}
		if err != nil || string(m.Bytes()) != want {
			t.Errorf("%s: %v, got\n%q, want\n%q", document, err, m.Bytes(), want)
		}
	}
	for document, want := range map[string]string{
		"": "ends too early", "x": "text before", "<A>": "not well-formed", "<A/>": "first segment must be MSH", "<A><PID/></A>": "first segment must be MSH",
		"<A><MSH/></A><B/>": "second root", "<A><MSH/></A>x": "text behind", "<A>x<MSH/></A>": "text between segments", "<A><PID.1/></A>": "where a segment or a group was expected",
		"<A><MSH/><PID>x</PID></A>":                                           "text beside elements",
		"<A><MSH/><PID><PID/></PID></A>":                                      "ends with a point and a number",
		"<A><MSH/><PID><PID.0/></PID></A>":                                    "ends with a point and a number",
		"<A><MSH/><PID><PID.99999/></PID></A>":                                "ends with a point and a number",
		"<A><MSH/><PID><PID.2/><PID.1/></PID></A>":                            "number 1 stands behind number 2",
		"<A><MSH/><PID><PID.1><a.1/><a.1/></PID.1></PID></A>":                 "number 1 stands behind number 1",
		"<A><MSH/><PID><PID.1>x<a.1>y</a.1></PID.1></PID></A>":                "text beside elements",
		"<A><MSH/><PID><PID.1><a.1><b.1><c.1/></b.1></a.1></PID.1></PID></A>": "a subcomponent has no parts",
		"<A><MSH/><PID><PID.1><escape/></PID.1></PID></A>":                    "attribute V",
		"<A><MSH/><PID><PID.1><escape V=\"a|b\"/></PID.1></PID></A>":          "can't be written",
		"<A><MSH/>" + strings.Repeat("<PID><PID.9999/></PID>", 50) + "</A>":   "too many delimiters",
		strings.Repeat("<g>", 100):                                            "groups in each other",
		"<A><MSH/><MSH/></A>":                                                 "segment 2 is another header",
		"<A><MSH/><BTS/></A>":                                                 "or the end of a batch",
		"<A><MSH/><FTS/></A>":                                                 "or the end of a batch",
		"<A><MSH><MSH.1>||</MSH.1></MSH></A>":                                 "MSH.1 must have one",
		"<A><MSH><MSH.2>^~\\&amp;#%</MSH.2></MSH></A>":                        "MSH.2 must have no more than five",
		"<A><MSH><MSH.2>^^</MSH.2></MSH></A>":                                 "delimiters can't be used",
		"<A><MSH><MSH.2>^</MSH.2></MSH><PID><PID.1/><PID.1/></PID></A>":       "a field repeats",
		"<A><MSH><MSH.18>ASCII</MSH.18></MSH><PID><PID.1>é</PID.1></PID></A>": "not in the message's character set",
		"<?xml version=\"1.0\" encoding=\"latin1\"?><A/>":                     "at byte",
		"<A>&x;</A>": "not well-formed",
	} {
		if m, err := v2xml.Unmarshal([]byte(document)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, %v", document, m != nil, err)
		}
	}
}

// An error has nothing of the document in it, wherever the fault is.
func TestErrorsHaveNoContent(t *testing.T) {
	t.Parallel()
	for _, document := range []string{
		"<A><MSH/></A>&SECRET;", "<A><MSH/></A></SECRET>", "<A><MSH/></A><SECRET", "<A>&SECRET;</A>", "<A><SECRET></B></A>",
		"<?xml version=\"SECRET\"?><A/>", "<?xml version=\"1.0\" encoding=\"SECRET\"?><A/>", "<A><MSH/><PID>SECRET</PID></A>",
		"<A><MSH/><SECRET.1/></A>", "<A><MSH/><PID><SECRET/></PID></A>", "<A><MSH/><PID><PID.1><escape V=\"SECRET|\"/></PID.1></PID></A>",
		"<A><MSH><MSH.1>SECRET</MSH.1></MSH></A>", "<A><MSH><MSH.2>SECRET</MSH.2></MSH></A>",
	} {
		if _, err := v2xml.Unmarshal([]byte(document)); err == nil || strings.Contains(err.Error(), "SECRET") {
			t.Errorf("%s: %v", document, err)
		}
	}
}

func corpus(t testing.TB) map[string][]byte {
	t.Helper()
	dir := os.Getenv("LADLE_CORPUS")
	if dir == "" {
		dir = filepath.Join("..", "..", "testdata", "corpus")
	} else {
		dir = filepath.Join(dir, "messages")
	}
	files, err := filepath.Glob(filepath.Join(dir, "*.hl7"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no messages in %s: %v", dir, err)
	}
	all := make(map[string][]byte)
	for _, f := range files {
		if all[filepath.Base(f)], err = os.ReadFile(f); err != nil {
			t.Fatal(err)
		}
	}
	return all
}

// thereAndBack reports what is different after a message was written and read again.
func thereAndBack(m *hl7.Message) error {
	b, err := v2xml.Marshal(m)
	if err != nil {
		return nil
	}
	back, err := v2xml.Unmarshal(b)
	if err != nil {
		// These are refused, and said so.
		for _, limit := range []string{"character set", "point and a number", "sequence can't", "too many delimiters", "no escape character"} {
			if strings.Contains(err.Error(), limit) {
				return nil
			}
		}
		return fmt.Errorf("%w\n%s", err, b)
	}
	for d := range hl7.Diff(m, back) {
		return fmt.Errorf("%v\n%s", d, b)
	}
	return nil
}

func TestRealMessages(t *testing.T) {
	t.Parallel()
	written := 0
	for name, raw := range corpus(t) {
		m, err := hl7.Parse(raw)
		if err != nil {
			continue
		}
		if b, err := v2xml.Marshal(m); err == nil && bytes.Contains(b, []byte("<PID>")) {
			written++
		}
		if err := thereAndBack(m); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	if written == 0 {
		t.Error("none was written")
	}
}

// A message says the same when it comes back from XML, and a document is read or refused.
func FuzzXML(f *testing.F) {
	for _, raw := range corpus(f) {
		f.Add(raw, []byte(oruXML))
	}
	f.Add([]byte(oru), []byte("<A><MSH/><PID><PID.2>x<escape V=\".br\"/></PID.2><PID.2/></PID></A>"))
	f.Fuzz(func(t *testing.T, raw, document []byte) {
		if m, err := v2xml.Unmarshal(document); err == nil {
			if err := thereAndBack(m); err != nil {
				t.Fatal(err)
			}
		}
		m, err := hl7.Parse(raw)
		if err != nil {
			return
		}
		if err := thereAndBack(m); err != nil {
			t.Fatal(err)
		}
	})
}
