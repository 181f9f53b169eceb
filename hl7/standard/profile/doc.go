// Package profile reads a site's profile of HL7 v2 from YAML: what its messages add to the
// standard, relax or forbid. The result is a [standard.Profile], which can be written in Go just
// as well; this package is apart so that only programs that read YAML pay for it.
//
//	name: Laboratory, results
//	version: "2.5.1"
//	segments:
//	  ZLB:                                   # a segment of the site's own
//	    description: Laboratory, local
//	    fields:
//	      1: {name: Ward, type: ST, usage: required, repeat: 1, length: 10, table: WARD}
//	      2: {name: Remark, type: TX}
//	fields:
//	  PID-3.4: {usage: required}             # add to the standard
//	  OBR-4: {usage: optional}               # relax it
//	  PID-19: {usage: forbidden}             # forbid what it has
//	  PID-8: {table: "0001"}
//	tables:
//	  "0001": {codes: {F: Female, M: Male}}  # in the place of the standard's codes
//	  "0125": {add: true, codes: {ZD: Local}, remove: [XPN]}
//	  WARD: {codes: {A1: Ward A1, B2: Ward B2}}
//	messages:
//	  ORU_R01:
//	    segments:
//	      ZLB: {after: PID, usage: required, repeat: 1}
//	      PV1: {usage: forbidden}
//	  ORU_Z01: {like: ORU_R01}
//	  "*":                                   # every structure
//	    segments:
//	      DSC: {usage: forbidden}
//	rules:
//	  segment-order: error
//	  length: off
//
// Reading is strict: an unknown key, a key that stands twice, a wrong value, and a name that the
// version doesn't have are errors. All errors of a file are reported at once, each with its line
// and column.
//
// The keys of a field are name, type, usage (required, optional, conditional, backward-compatible
// or forbidden), repeat and length (0 or unlimited for no limit) and table ("" for none). Those of
// a segment's place in a message are group, after, usage and repeat. A rule is one of
// [standard.Rules], its severity off, information, warning or error.
package profile
