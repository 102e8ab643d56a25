package fileimport

// Reason says why a row was rejected, or a value of it set aside. The texts
// never quote a value: they stand in reports and logs.
type Reason string

// Why a record of a file cannot be read.
const (
	reasonQuoteOpen   Reason = "a quote is opened and not closed"
	reasonQuoteEarly  Reason = "text follows a closing quote"
	reasonTooLong     Reason = "longer than a record may be"
	reasonEncoding    Reason = "not valid in the file's encoding: if that is another one, say --encoding"
	reasonNUL         Reason = "holds a NUL byte"
	reasonFewColumns  Reason = "fewer columns than headings"
	reasonManyColumns Reason = "more columns than headings"
	reasonJSON        Reason = "not valid JSON"
	reasonNoObject    Reason = "not a JSON object"
)

// Why a row cannot become an event.
const (
	reasonNobody        Reason = "no identifier: customer, phone and email are empty"
	reasonNobodyUsable  Reason = "no usable identifier: none of customer, phone and email is understood"
	reasonNoTime        Reason = "time is empty"
	reasonTime          Reason = "time is not understood: if it is written in another way, say --time-format"
	reasonTimeDate      Reason = "time is a day that does not exist"
	reasonTimeYear      Reason = "time is before 1971, the first year of an event"
	reasonTimeFuture    Reason = "time lies more than 24 hours after the import"
	reasonNoAmount      Reason = "amount is empty"
	reasonAmount        Reason = "amount is not a number"
	reasonAmountDigits  Reason = "amount has more than 4 decimals: round it in a select"
	reasonAmountLarge   Reason = "amount is too large"
	reasonNegativeOrder Reason = "the amount of an order is negative"
	reasonNegativeNoID  Reason = "amount is negative and there is no order id: whose money went back is not known"
	reasonNoCurrency    Reason = "currency is empty"
	reasonCurrency      Reason = "currency is not a code of ISO 4217"
	reasonCurrencySign  Reason = "the amount's sign is of another currency"
	reasonNoOrderID     Reason = "order id is empty"
	reasonLongOrderID   Reason = "order id is over 200 bytes or has control characters"
	reasonType          Reason = "type is neither an order nor a refund: map it in a select"
	reasonCategory      Reason = "category is not marketing, utility, authentication or all"
	reasonNoState       Reason = "state is empty"
	reasonState         Reason = "state is neither a yes nor a no that is understood: map it in a select"
	reasonNoStatus      Reason = "status is empty"
	reasonStatus        Reason = "status is not sent, delivered, read, failed or received: map it in a select"
	reasonNoMessageID   Reason = "provider_message_id is empty"
	reasonNoMoment      Reason = "none of the message's times is there"
	reasonNoProvider    Reason = "provider is empty"
	reasonNoNumber      Reason = "number_id is empty"
	reasonConflict      Reason = "same id as an earlier row, other content: sum the lines of one order in a select"
	reasonTooBig        Reason = "the event would be too large for a Kafka record"
	reasonOther         Reason = "another reason"
)

// Why a value is set aside and its row goes on without it.
const (
	asidePhone       Reason = "phone is not understood"
	asidePhoneRegion Reason = "phone has no + and country code: write it so, or say --phone-region"
	asideEmail       Reason = "email is not an address"
	asideCustomer    Reason = "customer key is not usable"
	asideSpreadsheet Reason = "a number that a spreadsheet cut short (1.2E+12)"
	asideTimeZone    Reason = "customer_time_zone is not an IANA name"
	asideCountry     Reason = "country is not a code of two letters"
	asideLanguage    Reason = "language is not a BCP 47 tag"
	asideTags        Reason = "tags are neither a JSON array of strings nor a list"
	asideItems       Reason = "items are not a JSON array"
)

// What was understood in a way worth knowing.
const (
	noteKeyEmail       Reason = "customer key is an e-mail address or a phone number: taken as that"
	noteNegativeRefund Reason = "negative amount: taken as a refund"
)
