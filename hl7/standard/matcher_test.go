package standard_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/ladlehq/ladle/hl7/standard"
)

// outline writes a group as text: ORU_R01(MSH PATIENT_RESULT(...)).
func outline(g *standard.Group) string {
	var b strings.Builder
	b.WriteString(g.Name + "(")
	for i, item := range g.Items {
		if i > 0 {
			b.WriteByte(' ')
		}
		if item.Group != nil {
			b.WriteString(outline(item.Group))
		} else {
			b.WriteString(item.Segment)
		}
	}
	return b.String() + ")"
}

func TestMatch(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name, version, structure, segments, want string
		misfits                                  []string
	}{
		{"one result", "2.5.1", "ORU_R01", "MSH PID PV1 ORC OBR OBX OBX NTE",
			"ORU_R01(MSH PATIENT_RESULT(PATIENT(PID VISIT(PV1)) ORDER_OBSERVATION(ORC OBR OBSERVATION(OBX) OBSERVATION(OBX NTE))))", nil},
		{"two orders without ORC", "2.5.1", "ORU_R01", "MSH PID OBR OBX OBR NTE OBX",
			"ORU_R01(MSH PATIENT_RESULT(PATIENT(PID) ORDER_OBSERVATION(OBR OBSERVATION(OBX)) ORDER_OBSERVATION(OBR NTE OBSERVATION(OBX))))", nil},
		{"two patients", "2.5.1", "ORU_R01", "MSH PID OBR OBX PID OBR",
			"ORU_R01(MSH PATIENT_RESULT(PATIENT(PID) ORDER_OBSERVATION(OBR OBSERVATION(OBX))) PATIENT_RESULT(PATIENT(PID) ORDER_OBSERVATION(OBR)))", nil},
		{"observation of a specimen", "2.5.1", "ORU_R01", "MSH OBR OBX SPM OBX OBX OBR",
			"ORU_R01(MSH PATIENT_RESULT(ORDER_OBSERVATION(OBR OBSERVATION(OBX) SPECIMEN(SPM OBX OBX)) ORDER_OBSERVATION(OBR)))", nil},
		{"admission with insurances", "2.5.1", "ADT_A01", "MSH EVN PID PD1 NK1 NK1 PV1 DG1 DG1 PR1 ROL PR1 GT1 IN1 IN2 IN1",
			"ADT_A01(MSH EVN PID PD1 NK1 NK1 PV1 DG1 DG1 PROCEDURE(PR1 ROL) PROCEDURE(PR1) GT1 INSURANCE(IN1 IN2) INSURANCE(IN1))", nil},
		{"an order begins the group again rather than a prior result", "2.5.1", "OML_O21", "MSH PID ORC OBR OBX ORC OBR",
			"OML_O21(MSH PATIENT(PID) ORDER(ORC OBSERVATION_REQUEST(OBR OBSERVATION(OBX))) ORDER(ORC OBSERVATION_REQUEST(OBR)))", nil},
		{"a prior result with its patient", "2.5.1", "OML_O21", "MSH PID ORC OBR PID OBR OBX",
			"OML_O21(MSH PATIENT(PID) ORDER(ORC OBSERVATION_REQUEST(OBR PRIOR_RESULT(PATIENT_PRIOR(PID) ORDER_PRIOR(OBR OBSERVATION_PRIOR(OBX))))))", nil},
		{"two patients one after the other", "2.5.1", "ADT_A24", "MSH EVN PID PD1 PV1 PID PV1",
			"ADT_A24(MSH EVN PID PD1 PV1 PID PV1)", nil},
		{"a choice", "2.5.1", "ORM_O01", "MSH PID ORC RXO NTE ORC OBR OBX",
			"ORM_O01(MSH PATIENT(PID) ORDER(ORC ORDER_DETAIL(RXO NTE)) ORDER(ORC ORDER_DETAIL(OBR OBSERVATION(OBX))))", nil},
		{"local segments anywhere", "2.5.1", "ADT_A01", "MSH ZMS EVN PID ZPI PV1 PR1 ZPR ROL",
			"ADT_A01(MSH ZMS EVN PID ZPI PV1 PROCEDURE(PR1 ZPR ROL))", nil},
		{"any segment", "2.3", "MFN_M01", "MSH MFI MFE ZL7 MFE ZL7",
			"MFN_M01(MSH MFI MF(MFE ZL7) MF(MFE ZL7))", nil},
		{"a required segment is missing", "2.5.1", "ADT_A01", "MSH PID PV1",
			"ADT_A01(MSH PID PV1)", []string{"segment-missing EVN"}},
		{"the only order is missing", "2.5.1", "ORU_R01", "MSH PID",
			"ORU_R01(MSH PATIENT_RESULT(PATIENT(PID)))", []string{"segment-missing OBR in PATIENT_RESULT"}},
		{"a group without its head", "2.5.1", "ORU_R01", "MSH PID ORC OBX",
			"ORU_R01(MSH PATIENT_RESULT(PATIENT(PID) ORDER_OBSERVATION(ORC OBSERVATION(OBX))))", []string{"segment-missing OBR in ORDER_OBSERVATION"}},
		{"too early, something required is still to come", "2.5.1", "ADT_A01", "MSH EVN PDA PID NK1 PV1",
			"ADT_A01(MSH EVN PDA PID NK1 PV1)", []string{"segment-order PDA"}},
		{"too late", "2.5.1", "ADT_A01", "MSH EVN PID PV1 NK1 NK1 DG1",
			"ADT_A01(MSH EVN PID PV1 NK1 NK1 DG1)", []string{"segment-order NK1"}},
		{"too often", "2.5.1", "ADT_A01", "MSH EVN PID PID PV1",
			"ADT_A01(MSH EVN PID PID PV1)", []string{"segment-repeats PID"}},
		{"a group too often", "2.5.1", "ORU_R01", "MSH PID PV1 PV1 OBR",
			"ORU_R01(MSH PATIENT_RESULT(PATIENT(PID VISIT(PV1 PV1)) ORDER_OBSERVATION(OBR)))", []string{"segment-repeats PV1"}},
		{"a visit after the order", "2.5.1", "ORU_R01", "MSH PID OBR PV1 OBX",
			"ORU_R01(MSH PATIENT_RESULT(PATIENT(PID) ORDER_OBSERVATION(OBR PV1 OBSERVATION(OBX))))", []string{"segment-order PV1"}},
		{"the group's head comes second", "2.5.1", "ADT_A01", "MSH EVN PID PV1 IN2 IN1 IN1",
			"ADT_A01(MSH EVN PID PV1 INSURANCE(IN2 IN1) INSURANCE(IN1))", []string{"segment-order IN1"}},
		{"a late segment of a group that has ended", "2.5.1", "ORU_R01", "MSH PID OBR OBX PD1 OBX",
			"ORU_R01(MSH PATIENT_RESULT(PATIENT(PID) ORDER_OBSERVATION(OBR OBSERVATION(OBX PD1) OBSERVATION(OBX))))", []string{"segment-order PD1"}},
		{"not in this message", "2.5.1", "ADT_A01", "MSH EVN PID PV1 RXA DG1",
			"ADT_A01(MSH EVN PID PV1 RXA DG1)", []string{"segment-unexpected RXA"}},
		{"nothing", "2.5.1", "ACK", "", "ACK()", []string{"segment-missing MSH", "segment-missing MSA"}},
	} {
		d, _ := standard.Version(test.version)
		s, ok := d.Structure(test.structure)
		if !ok {
			t.Errorf("%s: no structure %s", test.name, test.structure)
			continue
		}
		g, misfits := standard.Match(s, strings.Fields(test.segments))
		if got := outline(g); got != test.want {
			t.Errorf("%s:\n got %s\nwant %s", test.name, got, test.want)
		}
		if !slices.Equal(misfits, test.misfits) {
			t.Errorf("%s: misfits %q; want %q", test.name, misfits, test.misfits)
		}
	}
}

// TestMatchKeepsEverySegment lays a message that any structure finds wrong into all of them: each
// segment must come out once and in order.
func TestMatchKeepsEverySegment(t *testing.T) {
	t.Parallel()
	names := strings.Fields("OBX MSH ZZZ PID OBX PID OBR MSH QRD PV1 PV1 IN1 NTE MSA ERR ORC OBR SPM OBX NTE PID XXX")
	for _, id := range standard.Versions() {
		d, _ := standard.Version(id)
		for s := range d.Structures() {
			g, _ := standard.Match(s, names)
			checkComplete(t, id+" "+s.Name(), g, names)
		}
	}
}

// checkComplete wants each segment in the group once and in order.
func checkComplete(t *testing.T, where string, g *standard.Group, names []string) {
	t.Helper()
	next := 0
	var walk func(g *standard.Group)
	walk = func(g *standard.Group) {
		for _, item := range g.Items {
			switch {
			case item.Group != nil:
				walk(item.Group)
			case item.Index != next || next >= len(names) || item.Segment != names[next]:
				t.Fatalf("%s: segment %d is %s, %d was expected", where, item.Index, item.Segment, next)
			default:
				next++
			}
		}
	}
	walk(g)
	if next != len(names) {
		t.Errorf("%s: %d of %d segments", where, next, len(names))
	}
}

// TestMatchItself lays each structure's own segments, all of them once, into the structure: none
// may be said to stand where it must not. In the few that are listed the standard itself leaves
// two readings, and the segments that would decide between them stand in both.
func TestMatchItself(t *testing.T) {
	t.Parallel()
	ambiguous := map[string]bool{"2.4 OML_O21": true}
	for _, id := range []string{"2.6", "2.7", "2.7.1"} {
		ambiguous[id+" EHC_E15"], ambiguous[id+" OPL_O37"] = true, true
	}
	for _, id := range standard.Versions() {
		d, _ := standard.Version(id)
		for s := range d.Structures() {
			var names []string
			var walk func(n standard.Node)
			walk = func(n standard.Node) {
				switch n.Kind() {
				case standard.SegmentNode:
					names = append(names, n.Name())
				case standard.ChoiceNode:
					for c := range n.Nodes() {
						names = append(names, c.Name())
						break
					}
				default:
					for c := range n.Nodes() {
						walk(c)
					}
				}
			}
			for n := range s.Nodes() {
				walk(n)
			}
			if _, misfits := standard.Match(s, names); (len(misfits) > 0) != ambiguous[id+" "+s.Name()] {
				t.Errorf("%s %s: %v", id, s.Name(), misfits)
			}
		}
	}
}

func FuzzMatch(f *testing.F) {
	f.Add("2.5.1", "ORU_R01", "MSH PID OBR OBX")
	f.Add("2.3", "MFN_M01", "MSH MFI MFE ZL7")
	f.Add("2.7", "CCI_I22", "MSH PID AIS AIG ROL PRD")
	f.Fuzz(func(t *testing.T, version, structure, segments string) {
		d, _ := standard.Version(version)
		s, ok := d.Structure(structure)
		if !ok {
			return
		}
		names := strings.Fields(segments)
		g, _ := standard.Match(s, names)
		checkComplete(t, version+" "+structure, g, names)
	})
}
