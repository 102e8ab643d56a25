package fileimport

import (
	"slices"
	"strings"
	"unicode"
)

// Kind says what the rows of a file are. It is also the import's default source.
type Kind string

// The kinds of files.
const (
	Orders    Kind = "orders"    // a row is an order or a refund
	Customers Kind = "customers" // a row is what a system knows of one customer
	Consents  Kind = "consents"  // a row is one customer's opt-in or opt-out
	Messages  Kind = "messages"  // a row is a message of another tool, or one status of it
)

// Kinds returns all kinds.
func Kinds() []Kind { return []Kind{Orders, Customers, Consents, Messages} }

// Field is one thing that goodhour wants to know of a row. A column is mapped
// to it by its heading, or by an output column of a select.
type Field struct {
	Name string
	// Doc is one line for the command's help.
	Doc string
	// Required: a file must have a column or a value for it.
	Required bool
	// Personal: samples show it masked.
	Personal bool
	// headings are what the column is often called, in tiers: a heading of an
	// earlier tier wins over one of a later tier, two of the same tier are
	// ambiguous. They are compared by plainHeading. This is the one place to
	// add another language's words; a shop's own export gets a preset instead.
	headings [][]string
}

// Flag is the command line option that names the field's column.
func (f Field) Flag() string { return "--" + strings.ReplaceAll(f.Name, "_", "-") }

// Fields returns the fields of a kind, in the order of the documentation; nil
// for an unknown kind.
func Fields(kind Kind) []Field {
	switch kind {
	case Orders:
		return orderFields()
	case Customers:
		return customerFields()
	case Consents:
		return consentFields()
	case Messages:
		return messageFields()
	}
	return nil
}

func fieldNames(kind Kind) []string {
	var names []string
	for _, f := range Fields(kind) {
		names = append(names, f.Name)
	}
	return names
}

// isField reports whether the kind has a field of that name.
func isField(kind Kind, name string) bool { return slices.Contains(fieldNames(kind), name) }

// isKnownHeading reports whether a plain heading is one that is guessed by.
func isKnownHeading(kind Kind, plain string) bool {
	return slices.ContainsFunc(Fields(kind), func(f Field) bool {
		return slices.ContainsFunc(f.headings, func(tier []string) bool { return slices.Contains(tier, plain) })
	})
}

// plainHeading is a heading without case, spaces and signs: "Customer ID" and
// "customer_id" are one.
func plainHeading(heading string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r >= 'A' && r <= 'Z':
			return r + 'a' - 'A'
		case r >= 'a' && r <= 'z', r >= '0' && r <= '9', r > 0x7f && (unicode.IsLetter(r) || unicode.IsNumber(r) || unicode.IsMark(r)):
			return r
		}
		return -1
	}, heading)
}

// tier splits a list of plain headings at its spaces.
func tier(headings string) []string { return strings.Fields(headings) }

// The fields that say who a row is about; one of them must be there.
func identifierFields(phoneHeadings ...string) []Field {
	return []Field{
		{
			Name: "customer", Doc: "the key that your systems know the customer by",
			headings: [][]string{
				tier("customer customerid customerkey customernumber customerno customercode 客户 客户id 客户编号 客户号 客户代码 顾客 顾客编号"),
				tier("clientid userid memberid contactid buyerid accountid masterid externalid 会员 会员号 会员编号 会员卡号 会员id 用户 用户id 用户编号 买家 买家id"),
			},
		},
		{
			Name: "phone", Doc: "the customer's phone number", Personal: true,
			headings: append([][]string{
				tier("phone phonenumber mobile mobilephone mobilenumber cellphone whatsapp whatsappnumber waid msisdn 手机 手机号 手机号码"),
				tier("customerphone contactphone tel telephone cell 电话 电话号码 联系电话 联系手机"),
			}, phoneHeadings),
		},
		{
			Name: "phone_country", Doc: "country (two letters) of a phone number without a country code",
			headings: [][]string{tier("phonecountry phonecountrycode")},
		},
		{
			Name: "email", Doc: "the customer's e-mail address", Personal: true,
			headings: [][]string{
				tier("email emailaddress mail 邮箱 邮箱地址 电子邮箱 电子邮件"),
				tier("customeremail contactemail useremail"),
			},
		},
	}
}

func orderFields() []Field {
	return append(identifierFields(), []Field{
		{
			Name: "order_id", Doc: "the shop's id of the order; an id counts once",
			headings: [][]string{
				tier("orderid ordernumber orderno 订单号 订单编号 订单id"),
				tier("order ordername invoiceid invoiceno invoicenumber receiptid transactionid 订单 单号 交易号 流水号"),
			},
		},
		{
			Name: "time", Doc: "when the order was placed", Required: true,
			headings: [][]string{
				tier("time ordertime orderdate orderedat placedat purchasedate purchasedat purchasetime 下单时间 下单日期 订单时间 订单日期 订单创建时间 购买时间 购买日期 消费时间 消费日期"),
				tier("date datetime timestamp transactiondate invoicedate occurredat 日期 时间 交易时间 交易日期 付款时间 支付时间"),
				tier("createdat created 创建时间 创建日期"),
			},
		},
		{
			Name: "amount", Doc: "what the order came to, in its currency", Required: true,
			headings: [][]string{
				// What was paid, before what was asked.
				tier("实付金额 实付金额元 实付款 实收金额 实际支付金额 支付金额 付款金额"),
				tier("amount orderamount ordertotal totalamount totalprice grandtotal 金额 金额元 订单金额 订单金额元 总金额 总价 消费金额 交易金额 成交金额"),
				tier("total revenue ordervalue netamount 合计 总计"),
			},
		},
		{
			Name: "currency", Doc: "the amount's currency, ISO 4217", Required: true,
			headings: [][]string{tier("currency currencycode ordercurrency 币种 货币 币别")},
		},
		{
			Name: "type", Doc: "whether the row is an order or a refund; without it a negative amount is a refund",
			headings: [][]string{tier("type transactiontype 交易类型")},
		},
		{
			Name: "coupon", Doc: "the coupon code redeemed",
			headings: [][]string{tier("coupon couponcode discountcode voucher vouchercode promocode 优惠券 优惠码 优惠券码")},
		},
		{
			Name: "items", Doc: "the lines, a JSON array of {sku, name, category, quantity, price}",
			headings: [][]string{tier("items lineitems")},
		},
	}...)
}

func customerFields() []Field {
	return append(identifierFields(), []Field{
		{
			Name: "time", Doc: "when this was so", Required: true,
			headings: [][]string{
				tier("time updatedat updated lastupdated modifiedat lastmodified 更新时间 修改时间"),
				tier("date datetime timestamp"),
			},
		},
		{
			Name: "name", Doc: "the customer's name", Personal: true,
			headings: [][]string{tier("name fullname customername contactname displayname 姓名 客户姓名 名字")},
		},
		{
			// Not time_zone: --time-zone is the zone of the file's times.
			Name: "customer_time_zone", Doc: "IANA name of the customer's time zone",
			headings: [][]string{tier("customertimezone timezone tz")},
		},
		{
			Name: "country", Doc: "country, two letters (ISO 3166-1)",
			headings: [][]string{tier("country countrycode")},
		},
		{
			Name: "language", Doc: "language (BCP 47)",
			headings: [][]string{tier("language languagecode locale lang")},
		},
		{
			Name: "tags", Doc: "labels: a JSON array, or separated by commas",
			headings: [][]string{tier("tags labels")},
		},
	}...)
}

func consentFields() []Field {
	return append(identifierFields(), []Field{
		{
			Name: "time", Doc: "when the consent was given or withdrawn", Required: true,
			headings: [][]string{
				tier("time consentedat consenttime consentdate optintime optindate optedinat subscribedat"),
				tier("date datetime timestamp updatedat"),
				tier("createdat created"),
			},
		},
		{
			Name: "category", Doc: "what it covers: marketing, utility, authentication or all", Required: true,
			headings: [][]string{tier("category consentcategory purpose")},
		},
		{
			Name: "state", Doc: "opted in or out; yes means in",
			headings: [][]string{
				tier("state consent consentstate optin optedin subscribed acceptsmarketing marketingconsent"),
				tier("status subscriptionstatus"),
			},
		},
		{
			Name: "opted_out", Doc: "the other way round: yes means out",
			headings: [][]string{tier("optedout optout unsubscribed donotcontact")},
		},
		{
			Name: "evidence", Doc: "where and how it was given", Personal: true,
			headings: [][]string{tier("evidence proof optinsource consentsource")},
		},
	}...)
}

func messageFields() []Field {
	return append(identifierFields(tier("to recipient tonumber")...), []Field{
		{
			Name: "provider", Doc: "meta, twilio, messagebird, zenvia, or another tool's name", Required: true,
			headings: [][]string{tier("provider")},
		},
		{
			Name: "number_id", Doc: "the sending number's id at the provider", Required: true,
			headings: [][]string{tier("numberid phonenumberid"), tier("from fromnumber sender senderid")},
		},
		{
			Name: "provider_message_id", Doc: "the provider's id of the message (wamid)",
			headings: [][]string{tier("providermessageid wamid messageid messagesid"), tier("sid id")},
		},
		{
			Name: "campaign", Doc: "the campaign that sent it",
			headings: [][]string{tier("campaign campaignid campaignname"), tier("broadcast broadcastname")},
		},
		{
			Name: "status", Doc: "sent, delivered, read, failed or received; then time says when",
			headings: [][]string{tier("status messagestatus event")},
		},
		{
			Name: "time", Doc: "when the status was reached",
			headings: [][]string{tier("time statustime"), tier("timestamp date datetime updatedat")},
		},
		{
			Name: "sent_at", Doc: "when it was sent",
			headings: [][]string{tier("sentat senttime sentdate"), tier("sent")},
		},
		{
			Name: "delivered_at", Doc: "when it was delivered",
			headings: [][]string{tier("deliveredat deliverytime delivereddate"), tier("delivered")},
		},
		{
			Name: "read_at", Doc: "when it was read",
			headings: [][]string{tier("readat readtime seenat"), tier("read")},
		},
		{
			Name: "replied_at", Doc: "when the customer answered it",
			headings: [][]string{tier("repliedat replytime replydate"), tier("replied")},
		},
		{
			Name: "failed_at", Doc: "when it failed",
			headings: [][]string{tier("failedat failuretime"), tier("failed")},
		},
		{
			Name: "error_code", Doc: "the provider's code of the failure",
			headings: [][]string{tier("errorcode")},
		},
		{
			Name: "text", Doc: "what the customer wrote; not what was sent", Personal: true,
			headings: [][]string{tier("replytext customertext")},
		},
	}...)
}
