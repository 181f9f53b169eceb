package hl7

// The data types below are read and written by [Message.UnmarshalAt] and
// [Message.MarshalAt], or as fields of a struct. Their names and components are those of
// HL7 v2.9, chapter 2A; what an older version doesn't have stays empty.

// An HD is the name of an authority, a facility or an application.
type HD struct {
	NamespaceID     string `hl7:"1"`
	UniversalID     string `hl7:"2"`
	UniversalIDType string `hl7:"3"` // HL7 table 0301: ISO for an object identifier, DNS, UUID ...
}

// An EI is the identifier that an application has given something.
type EI struct {
	EntityIdentifier string `hl7:"1"`
	NamespaceID      string `hl7:"2"`
	UniversalID      string `hl7:"3"`
	UniversalIDType  string `hl7:"4"` // HL7 table 0301
}

// A DR is the time between two points, which belong to it.
type DR struct {
	RangeStart DTM `hl7:"1"`
	RangeEnd   DTM `hl7:"2"`
}

// A CWE is a coded value with or without a code. The CE and the CNE are the same as far as
// they go.
type CWE struct {
	Identifier                     string `hl7:"1"`
	Text                           string `hl7:"2"`
	NameOfCodingSystem             string `hl7:"3"` // HL7 table 0396: LN for LOINC, SCT, I10 ...
	AlternateIdentifier            string `hl7:"4"`
	AlternateText                  string `hl7:"5"`
	NameOfAlternateCodingSystem    string `hl7:"6"`
	CodingSystemVersionID          string `hl7:"7"`
	AlternateCodingSystemVersionID string `hl7:"8"`
	OriginalText                   string `hl7:"9"`

	// Since 2.7.
	SecondAlternateIdentifier            string `hl7:"10"`
	SecondAlternateText                  string `hl7:"11"`
	NameOfSecondAlternateCodingSystem    string `hl7:"12"`
	SecondAlternateCodingSystemVersionID string `hl7:"13"`
	CodingSystemOID                      string `hl7:"14"`
	ValueSetOID                          string `hl7:"15"`
	ValueSetVersionID                    DTM    `hl7:"16"`
	AlternateCodingSystemOID             string `hl7:"17"`
	AlternateValueSetOID                 string `hl7:"18"`
	AlternateValueSetVersionID           DTM    `hl7:"19"`
	SecondAlternateCodingSystemOID       string `hl7:"20"`
	SecondAlternateValueSetOID           string `hl7:"21"`
	SecondAlternateValueSetVersionID     DTM    `hl7:"22"`
}

// A CX is an identifier with its check digit and who has assigned it.
type CX struct {
	IDNumber           string `hl7:"1"`
	CheckDigit         string `hl7:"2"`
	CheckDigitScheme   string `hl7:"3"` // HL7 table 0061
	AssigningAuthority HD     `hl7:"4"`
	IdentifierTypeCode string `hl7:"5"` // HL7 table 0203: MR for a medical record number, SS ...
	AssigningFacility  HD     `hl7:"6"`
	EffectiveDate      DTM    `hl7:"7"`
	ExpirationDate     DTM    `hl7:"8"`

	AssigningJurisdiction       CWE    `hl7:"9"`
	AssigningAgencyOrDepartment CWE    `hl7:"10"`
	SecurityCheck               string `hl7:"11"` // since 2.7
	SecurityCheckScheme         string `hl7:"12"` // HL7 table 0904
}

// An FN is a family name with what it is made of.
type FN struct {
	Surname                  string `hl7:"1"`
	OwnSurnamePrefix         string `hl7:"2"`
	OwnSurname               string `hl7:"3"`
	SurnamePrefixFromPartner string `hl7:"4"`
	SurnameFromPartner       string `hl7:"5"`
}

// An XPN is the name of a person.
type XPN struct {
	FamilyName             FN     `hl7:"1"`
	GivenName              string `hl7:"2"`
	SecondNames            string `hl7:"3"` // second and further given names or their initials
	Suffix                 string `hl7:"4"` // such as JR
	Prefix                 string `hl7:"5"` // such as DR
	Degree                 string `hl7:"6"` // up to 2.6
	NameTypeCode           string `hl7:"7"` // HL7 table 0200: L for legal, M for maiden ...
	NameRepresentationCode string `hl7:"8"`
	NameContext            CWE    `hl7:"9"`
	NameValidityRange      DR     `hl7:"10"` // up to 2.6
	NameAssemblyOrder      string `hl7:"11"`
	EffectiveDate          DTM    `hl7:"12"`
	ExpirationDate         DTM    `hl7:"13"`
	ProfessionalSuffix     string `hl7:"14"`
	CalledBy               string `hl7:"15"`
}

// An SAD is a street address.
type SAD struct {
	StreetOrMailingAddress string `hl7:"1"`
	StreetName             string `hl7:"2"`
	DwellingNumber         string `hl7:"3"`
}

// An XAD is the address of a person or an organisation.
type XAD struct {
	StreetAddress              SAD    `hl7:"1"`
	OtherDesignation           string `hl7:"2"`
	City                       string `hl7:"3"`
	StateOrProvince            string `hl7:"4"`
	ZipOrPostalCode            string `hl7:"5"`
	Country                    string `hl7:"6"` // HL7 table 0399, of three letters
	AddressType                string `hl7:"7"` // HL7 table 0190: H for home, B for work ...
	OtherGeographicDesignation string `hl7:"8"`
	CountyCode                 CWE    `hl7:"9"`
	CensusTract                CWE    `hl7:"10"`
	AddressRepresentationCode  string `hl7:"11"`
	AddressValidityRange       DR     `hl7:"12"` // up to 2.6
	EffectiveDate              DTM    `hl7:"13"`
	ExpirationDate             DTM    `hl7:"14"`

	// Since 2.6.
	ExpirationReason    CWE    `hl7:"15"` // HL7 table 0616
	TemporaryIndicator  string `hl7:"16"` // Y or N
	BadAddressIndicator string `hl7:"17"` // Y or N
	AddressUsage        string `hl7:"18"` // HL7 table 0617
	Addressee           string `hl7:"19"`
	Comment             string `hl7:"20"`
	PreferenceOrder     NM     `hl7:"21"`
	ProtectionCode      CWE    `hl7:"22"` // HL7 table 0618
	AddressIdentifier   EI     `hl7:"23"`
}

// An XTN is a telephone number, an e-mail address or the like.
type XTN struct {
	TelephoneNumber            string `hl7:"1"` // the whole number, up to 2.6
	UseCode                    string `hl7:"2"` // HL7 table 0201: PRN for the number at home, WPN at work ...
	EquipmentType              string `hl7:"3"` // HL7 table 0202: PH, FX, CP, Internet ...
	CommunicationAddress       string `hl7:"4"` // such as an e-mail address
	CountryCode                string `hl7:"5"`
	AreaCode                   string `hl7:"6"`
	LocalNumber                string `hl7:"7"`
	Extension                  string `hl7:"8"`
	AnyText                    string `hl7:"9"`
	ExtensionPrefix            string `hl7:"10"`
	SpeedDialCode              string `hl7:"11"`
	UnformattedTelephoneNumber string `hl7:"12"`

	// Since 2.6.
	EffectiveStartDate                DTM `hl7:"13"`
	ExpirationDate                    DTM `hl7:"14"`
	ExpirationReason                  CWE `hl7:"15"` // HL7 table 0868
	ProtectionCode                    CWE `hl7:"16"` // HL7 table 0618
	SharedTelecommunicationIdentifier EI  `hl7:"17"`
	PreferenceOrder                   NM  `hl7:"18"`
}
