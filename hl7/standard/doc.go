// Package standard knows the HL7 v2 standard: for each version from 2.1 to 2.7.1 its segments
// and fields, data types and components, tables, and the structure of its messages. With it a
// message can be described, grouped and validated.
//
// # Look up
//
// [Version] gives the [Dictionary] of a version, or the nearest one for a version that isn't
// described, such as 2.8 and 2.9; [Gaps] says what is missing. A dictionary answers by name:
// [Dictionary.Segment], [Dictionary.Field], [Dictionary.DataType], [Dictionary.Table],
// [Dictionary.Structure] and [Dictionary.StructureOf]. [Dictionary.Describe] says what a path
// means: "Patient Name / Family Name" for PID-5.1.
//
// # Group
//
// [Dictionary.Group] lays the segments of a message into the structure that its MSH-9 stands for:
// which observations belong to which order, which insurance has which details. Segments of the
// site's own stay in the group in which they stand, and what has no place is kept where it is.
//
// # Validate
//
// [Validate] compares a message with the version that it states and yields findings: the path,
// the rule, the severity and a sentence, in the order of the message and without anything of its
// content. Real messages are sloppy, and receivers are told to ignore what they don't expect (HL7
// v2.9 chapter 2, Protocol for interpreting repeating fields and Version compatibility), so an
// Error is only what a receiver is likely to trip over. [Rules] lists what is looked at,
// [DefaultSeverity] how much it matters.
//
// A site departs from the standard by a [Profile]: it adds (segments of its own, more fields,
// tables, required fields), relaxes, or forbids. [Profile.Validator] validates against it. The
// package profile beside this one reads profiles from YAML.
//
// # Where the data come from
//
// They are made by the program in internal/generate from the npm package hl7-dictionary 1.0.1,
// and checked against hl7v2-dictionary 1.8.0; both are under the MIT licence, and their licences
// are in the folder LICENSES. The file data/comparison.txt tells what the check found and what
// was put right. Nothing is taken from the text of the standard itself.
//
// The data are about 0.3 MB of a program that uses the package, and the package as a whole about
// 0.9 MB. A version is decoded when it is first asked for.
package standard
