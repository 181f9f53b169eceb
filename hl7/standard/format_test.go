package standard_test

import (
	"testing"

	"github.com/ladlehq/ladle/hl7/standard"
)

func TestFormats(t *testing.T) {
	t.Parallel()
	for typ, values := range map[string]struct{ right, wrong []string }{
		"NM": {
			[]string{"0", "12", "-3.5", "+4", ".5", "5.", "007", "12345678901234567890.1"},
			[]string{"-", "+", ".", "1,5", "1e3", "<5", " 5", "5 mg", "1.2.3", "--1", "٣"},
		},
		"SI": {
			[]string{"0", "1", "0001", "99999"},
			[]string{"-1", "1.1", "a", "1 "},
		},
		"DT": {
			[]string{"2026", "202601", "20260131", "20240229", "20000229", "00000101"},
			[]string{"20", "20261", "2026013", "20261301", "20260132", "20260431", "20230229", "19000229", "2026-01-31", "202601311200", "20260100"},
		},
		"TM": {
			[]string{"00", "23", "2359", "235959", "235960", "235959.1", "235959.1234", "0800+0100", "080000-0330"},
			[]string{"24", "2360", "235961", "8", "08:00", "080000.", "080000.12345", "0800+01", "0800+1500", "0800Z", "0800.5", "+0100"},
		},
		"TS": {
			[]string{"2026", "202601", "20260131", "2026013112", "202601311259", "20260131125959", "20260131125959.1234+0200", "20260131-0500"},
			[]string{"20260131125", "2026013125", "202601311260", "20250115 1430", "2025-01-15", "20260131T1200", "202601311200.5", "20260131125959+0260", "20261301", "x"},
		},
		"DTM": {[]string{"20260131125959.1+0000"}, []string{"now"}},
	} {
		is := standard.FormatOf(typ)
		for _, v := range values.right {
			if !is(v) {
				t.Errorf("%s: %q isn't read", typ, v)
			}
		}
		for _, v := range values.wrong {
			if is(v) {
				t.Errorf("%s: %q is read", typ, v)
			}
		}
	}
	if standard.FormatOf("ST") != nil {
		t.Error("ST has a format")
	}
}

func FuzzFormats(f *testing.F) {
	f.Add("20260131125959.1234+0200")
	f.Add("-1.5")
	f.Fuzz(func(t *testing.T, text string) {
		if text == "" {
			return // an empty value is never judged
		}
		for _, typ := range []string{"NM", "SI", "DT", "TM", "TS"} {
			standard.FormatOf(typ)(text)
		}
		if standard.FormatOf("DT")(text) && !standard.FormatOf("TS")(text) {
			t.Errorf("%q is a date and not a time stamp", text)
		}
	})
}
