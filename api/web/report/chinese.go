package report

// chinese holds the texts in Simplified Chinese, keyed by their English.
func chinese() map[string]string {
	return map[string]string{
		// The page.
		"Your customers":       "您的客户",
		"as of %s":             "截至 %s",
		"Orders from %s to %s": "订单自 %s 至 %s",
		"From":                 "来源",
		"Days and months are UTC. This file is whole: it loads nothing and sends nothing.":                                                                    "日期与月份均按 UTC 计。本文件完整独立：不加载任何内容，也不发送任何内容。",
		"%s orders are in a currency without a rate, or refunded in another one: their value is unknown, and their customers' spend is left out of all sums.": "%s 个订单的货币没有汇率，或以另一种货币退款：其金额未知，相关客户的消费不计入任何合计。",
		"Customers": "客户", "one row each, several keys of one person counted once": "每人一行，同一人的多个标识只计一次",
		"Orders": "订单", "each order id once, however often it is told of": "每个订单号只计一次",
		"Revenue": "收入", "net of refunds, in the reporting currency": "扣除退款，以报告货币计",
		"Came back": "复购", "buyers with an order on a later day than their first": "首单日之后另有订单的买家",
		"%s customers": "%s 位客户", "%s buyers": "%s 位买家", "%s orders of %s buyers": "%[2]s 位买家的 %[1]s 个订单",
		// trade.go
		"Customers and revenue over time": "客户与收入的变化",
		"By calendar month (UTC). A customer is new in the month of the first order and returning in every later month with one. Revenue is net of refunds. A pale month was not over yet.": "按自然月（UTC）。客户在首单当月为新客，此后有订单的每个月为回头客。收入已扣除退款。颜色较浅的月份尚未结束。",
		"There are no orders yet.": "还没有订单。",
		"The months in numbers":    "各月数字", "Month": "月份", "New customers": "新客户", "Returning": "回头客",
		"%s: %s new, %s returning": "%s：新客 %s，回头客 %s",
		"%s of revenue in the months shown comes from customers who had bought in an earlier month.": "所示各月收入的 %s 来自此前月份已购买过的客户。",
		"returning customers": "回头客", "new customers": "新客户",
		"Revenue by month, in %s": "月收入（%s）", "Buyers by month": "每月买家数",
		// segments.go
		"Value, frequency and heat": "价值、频率与热度", "Value": "价值", "Frequency": "频率", "Heat": "热度",
		"Value is the mean order in the reporting currency: low below %s, mid to %s, high above. Frequency is the mean gap between purchase days; lapsed is when the last one is over %s gaps ago. Heat is by the last sign of life, an order or an answer: hot within %s days, warm %s, cool %s, then cold.": "价值按平均订单额（报告货币）：低于 %s 为低，至 %s 为中，以上为高。频率按购买日的平均间隔；距上次购买超过 %s 个间隔为已流失。热度按最近一次活动（订单或回复）：%s 天内为热，%s 天内为温，%s 天内为凉，此后为冷。",
		// rfm.go
		"RFM segments": "RFM 分群",
		"Each buyer scores 1 to 5 by recency, number of orders and spend, by the shop's own fifths; equal values score alike. The ten names and their bounds are those of the R package rfm, the first that holds.": "每位买家按最近购买时间、订单数和消费额各得 1 至 5 分，以本店的五分位划分；数值相同则得分相同。十个名称及其界限取自 R 软件包 rfm，以最先符合者为准。",
		"Segment": "分群", "Share of customers": "客户占比", "Share of revenue": "收入占比", "Days since last order": "距上次订单天数", "median": "中位数",
		"%s: %s of buyers, %s of revenue.":                                       "%s：占买家的 %s，占收入的 %s。",
		"No scores: they need at least %s buyers, or fifths mean little.":        "没有评分：至少需要 %s 位买家，否则五分位意义不大。",
		"No scores: they need orders over at least %s days.":                     "没有评分：订单至少需跨越 %s 天。",
		"No scores: the newest order is more than %s days before the as-of day.": "没有评分：最新订单早于截至日 %s 天以上。",
		"bought last, most often and most":                                       "最近、最常且消费最多",
		"recent, and more orders than most":                                      "较近，订单多于多数人",
		"in the middle on all three":                                             "三项均居中",
		"fairly recent, few orders, good spend":                                  "较近，订单少，消费不错",
		"recent, with few orders yet":                                            "最近，订单尚少",
		"spent much and have not been seen for long":                             "消费多，但久未出现",
		"good spend, long ago":                                                   "消费不错，但已久远",
		"above the middle, and slipping":                                         "高于中位，正在下滑",
		"below the middle, and slipping":                                         "低于中位，正在下滑",
		"the longest ago":                                                        "最久未购买",
		"between the named ones":                                                 "介于以上各类之间",
		// cohorts.go
		"Who comes back": "谁会再来", "First order in": "首单月份", "months after the first order's": "首单月份之后的月数",
		"%s of %s buyers came back on a later day: %s.": "%[2]s 位买家中有 %[1]s 位在之后某日再次购买：%[3]s。",
		"Each row is the customers of one month of first orders; each column the share of them who bought again so many calendar months later, in the first month on a later day. Pale months were not over yet. The newest %d cohorts and their first %d months.": "每行是首单在同一月份的客户；每列是其中在相应月数之后再次购买的比例，首月则指之后某日。颜色较浅的月份尚未结束。显示最新 %d 个月份及其前 %d 个月。",
		// customers.go
		"Top and sleeping customers": "头部与沉睡客户", "Top customers": "头部客户", "Sleeping customers": "沉睡客户",
		"Customer": "客户", "Spend": "消费", "Last order": "最近订单",
		"By net spend over all time, the %d largest. Sleeping: no order, and no other sign of life, for more than %s days. The key is your own; where the file's key is a phone number or an e-mail, it is goodhour's pseudonym.": "按历来净消费，前 %d 位。沉睡：超过 %s 天没有订单，也没有其他活动。标识是您自己的；若文件的标识是手机号或邮箱，则显示 goodhour 的化名。",
		"%s buyers sleep; they have spent %s so far.": "%s 位买家处于沉睡，他们至今共消费 %s。",
		// reach.go
		"Who could be reached": "能联系到谁",
		"%s of %s customers could get a marketing message on WhatsApp today.":                                     "%[2]s 位客户中有 %[1]s 位今天可以收到 WhatsApp 营销消息。",
		"Each customer is in one part: the first reason that holds, from the right. Nothing was sent to anybody.": "每位客户只属于一部分：自右起最先符合的原因。没有向任何人发送消息。",
		"an address and an opt-in on record":                                                                      "有联系方式，且有同意记录",
		"no opt-in on record: ask them":                                                                           "没有同意记录：请先征得同意",
		"they asked not to be written to":                                                                         "已要求不再接收消息",
		"no phone number or WhatsApp id is known":                                                                 "没有手机号或 WhatsApp 标识",
		// next.go
		"What to do now": "下一步",
		"The data is kept. To open the dashboard again:":                                                                                                          "数据已保留。再次打开看板：",
		"Nothing was kept beside this page. To keep the data, and to go on from here:":                                                                            "除本页外未保留任何内容。如要保留数据并继续：",
		"%s customers have no address. If your shop knows their phone numbers, bring them in:":                                                                    "%s 位客户没有联系方式。如果店铺有他们的手机号，请导入：",
		"%s customers have an address and no opt-in on record. Marketing needs one: bring in those that you have, and ask the others at checkout or in the shop.": "%s 位客户有联系方式，但没有同意记录。营销需要同意：导入已有的记录，其余在结账时或店内征求。",
		"%s customers can be written to. Take them to a tool of yours, or rehearse a campaign on this machine, where nothing leaves it:":                          "可以联系 %s 位客户。导出到您的工具，或在本机演练营销活动，数据不会离开本机：",
		"Ask anything else in SQL:": "其他问题可用 SQL 查询：",
		// The models' own values.
		"high": "高", "mid": "中", "low": "低", "unknown": "未知",
		"monthly": "每月", "quarterly": "每季", "occasional": "偶尔", "lapsed": "已流失", "one time": "一次", "none": "无",
		"hot": "热", "warm": "温", "cool": "凉", "cold": "冷", "never": "从未", "new": "新",
		"Champions": "冠军客户", "Potential loyalists": "潜在忠诚客户", "Loyal": "忠诚客户", "Promising": "有潜力",
		"Can't lose them": "不可失去", "At risk": "有流失风险", "Need attention": "需要关注", "About to sleep": "即将沉睡",
		"Lost": "已失去", "Others": "其他",
		"reachable": "可联系", "no opt-in": "未同意", "opted out": "已退订", "no address": "无联系方式",
	}
}
