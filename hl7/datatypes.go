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
	EffectiveDate              DTM    `hl7:"13"`
	ExpirationDate             DTM    `hl7:"14"`
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
}
