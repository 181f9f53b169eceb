package hl7_test

import (
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/ladlehq/ladle/hl7"
)

// The header finds the fields that one finds by dividing its segment, wherever the words
// that it looks at begin and end.
func TestHeaderFields(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(3, 4))
	pieces := []string{"|", "|", "|", "a", "bcd", "}", "{", "^", "\t", "\x00", "\x1b$B", "\x7f", "\xfc\xff", "12345678", strings.Repeat("x", 70)}
	for range 20000 {
		segment := `MSH|^~\&`
		if random.IntN(2) == 0 {
			segment += "|"
		}
		for range random.IntN(60) {
			segment += pieces[random.IntN(len(pieces))]
		}
		if len(strings.Split(segment, "|")[1]) > 4 {
			continue
		}
		raw := segment + []string{"", "\r", "\n", "\rPID|1|2|3", "\r\n|||"}[random.IntN(5)]
		h, err := hl7.ParseHeader([]byte(raw))
		if err != nil {
			t.Fatalf("%q: %v", raw, err)
		}
		fields := append([]string{"|"}, strings.Split(segment, "|")[1:]...)
		for n := 1; n <= 22; n++ {
			want, there := "", n <= len(fields) && n <= 21
			if there {
				want = fields[n-1]
			}
			if got := h.Field(n); string(got) != want || (got != nil) != there {
				t.Fatalf("%q: field %d is %q, want %q", raw, n, got, want)
			}
		}
	}
}

func TestAckTimeAndID(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(5, 6))
	for range 5000 {
		zone := time.FixedZone("", random.IntN(2*14*3600)-14*3600)
		at := time.Unix(random.Int64N(253402300799+62135596800)-62135596800, 0).In(zone)
		ack := string(new(hl7.Header).AppendAck(nil, hl7.Ack{Time: at}))
		fields := strings.Split(ack, "|")
		if want := at.Format("20060102150405-0700"); fields[6] != want {
			t.Fatalf("MSH-7 is %s, want %s", fields[6], want)
		}
		if id := fields[9]; len(id) != 20 || strings.Trim(id, "0123456789ABCDEFGHJKMNPQRSTVWXYZ") != "" {
			t.Fatalf("MSH-10 is %s", id)
		}
	}
}
