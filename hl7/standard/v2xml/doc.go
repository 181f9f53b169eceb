// Package v2xml writes HL7 v2 messages in the standard's XML encoding and reads them from
// it (HL7 v2: XML Encoding Syntax, release 2; the namespace is urn:hl7-org:v2xml).
//
//	<ADT_A01 xmlns="urn:hl7-org:v2xml"><MSH><MSH.1>|</MSH.1>...</MSH>
//	<PID><PID.3><CX.1>4711</CX.1><CX.4><HD.1>HOSP</HD.1></CX.4></PID.3>...</PID></ADT_A01>
//
// [Marshal] takes the groups and the names of components from the message's version, as
// package standard knows it. [Unmarshal] goes by the numbers in the names alone, so that it
// reads any version, local segments, and what others have written a little differently.
//
// What the values say goes there and back. Not kept are delimiters behind the last value of
// a segment, the kind of line ends, and which of several escape sequences stood for a
// character. For a form that keeps every byte see [hl7.Message.MarshalJSON].
package v2xml
