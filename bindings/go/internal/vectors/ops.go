package main

import (
	"fmt"
	"net/netip"
	"strings"
	"unsafe"

	iip "iip.example/iip"
)

// verb is an operation, and what the words behind the object's name are: see fields.
type verb struct {
	code  iip.OpCode
	words string
	makes bool // the object
}

var verbs = map[string]verb{
	"connect":    {iip.OpConnect, "P", true},
	"listen":     {iip.OpListen, "LN", true},
	"udp":        {iip.OpUDPOpen, "LP", true},
	"timer":      {iip.OpTimer, "A", true},
	"timerat":    {iip.OpTimer, "W", true},
	"send":       {iip.OpSendCopy, "NS", false},
	"sendbuf":    {iip.OpSendBuf, "N", false},
	"forward":    {iip.OpSendBuf, "B", false},
	"extern":     {iip.OpSendExtern, "RAN", false},
	"udpsend":    {iip.OpUDPSendCopy, "PN", false},
	"udpforward": {iip.OpUDPSend, "PB", false},
	"credit":     {iip.OpCredit, "N", false},
	"shutdown":   {iip.OpShutdown, "", false},
	"close":      {iip.OpClose, "", false},
	"abort":      {iip.OpAbort, "", false},
	"cancel":     {iip.OpCancel, "", false},
	"set":        {iip.OpSet, "OA", false},
	"user":       {iip.OpUser, "U", false},
	"urgent":     {iip.OpUrgent, "", false},
}

var options = map[string]iip.Option{"NODELAY": iip.OptNoDelay, "CORK": iip.OptCork, "KEEPALIVE": iip.OptKeepAlive,
	"KEEPIDLE_US": iip.OptKeepIdleUs, "KEEPINTVL_US": iip.OptKeepIntvlUs, "KEEPCNT": iip.OptKeepCnt,
	"USER_TIMEOUT_US": iip.OptUserTimeoutUs, "DSCP": iip.OptDSCP, "TTL": iip.OptTTL, "SNDBUF": iip.OptSndBuf,
	"RCVBUF": iip.OptRcvBuf, "QUICKACK": iip.OptQuickAck, "CC": iip.OptCC, "SYN_RETRIES": iip.OptSynRetries,
	"EXPLICIT_CREDIT": iip.OptExplicitCredit}

// pending is an operation of the coming turn.
type pending struct {
	line  string
	verb  verb
	about *object
}

func address(word string) netip.AddrPort {
	if word == "-" {
		return netip.AddrPort{}
	}
	if port, ok := strings.CutPrefix(word, ":"); ok {
		return netip.AddrPortFrom(netip.Addr{}, uint16(number(port)))
	}
	if port, ok := strings.CutPrefix(word, "*:"); ok {
		return netip.AddrPortFrom(netip.Addr{}, uint16(number(port)))
	}
	return must(netip.ParseAddrPort(word))
}

func addressOf(at uint64) uint64 { return uint64(uintptr(unsafe.Pointer(&pattern[at]))) }

// fields says with the words what the operation is; addrs: it has addresses.
func (p *player) fields(op *iip.Op, v verb, words []string) (local, peer netip.AddrPort, addrs bool) {
	for i, what := range v.words {
		if i == len(words) {
			break
		}
		switch word := words[i]; what {
		case 'L':
			local = address(word)
		case 'P':
			peer = address(word)
		case 'N':
			op.Len = uint32(number(word))
		case 'A':
			op.Arg = number(word)
		case 'W':
			op.Arg, op.Flags = number(word), iip.OpAbsolute
		case 'U':
			op.User = number(word)
		case 'B':
			h := p.world.held[p.world.buffer(word)]
			op.Buf, op.Len = h.buf, h.len
		case 'R':
			op.Buf = p.world.object(word).handle
		case 'O':
			op.Offset = uint32(options[word])
		case 'S':
			op.Flags = iip.OpShut
		}
	}
	return local, peer, strings.ContainsAny(v.words, "LP")
}

func (p *player) operation(words []string, line string, post bool) {
	v := verbs[words[0]]
	var about *object
	op := iip.Op{Code: v.code}
	if v.makes {
		about = p.world.add(p, words[1])
		op.User = uint64(len(p.world.all))
	} else {
		about = p.world.object(words[1])
		op.Obj = about.handle
	}
	local, peer, addrs := p.fields(&op, v, words[2:])
	switch words[0] {
	case "send":
		op.Arg = addressOf(about.tx)
	case "udpsend":
		op.Buf = iip.Handle(addressOf(0))
	case "sendbuf":
		s := p.loop.TxTake()
		copy(s.Bytes()[:op.Len], pattern[about.tx:])
		op.Buf = s.Buf
	}
	if post {
		fmt.Fprintf(out, "> %s -> %s\n", line, nameOf(p.loop.PostOp(op, local, peer)))
		return
	}
	if addrs {
		p.loop.PushAddrs(op, local, peer)
	} else {
		p.loop.Push(op)
	}
	p.pending = append(p.pending, pending{line, v, about})
}

func (p *player) tellOperation(op *iip.Op, d pending) {
	fmt.Fprintf(out, "> %s -> %s", d.line, op.Status.Name())
	if d.verb.makes {
		p.world.named(d.about, iip.Handle(op.Out))
	} else if op.Out != 0 {
		fmt.Fprintf(out, " %d", op.Out)
	}
	fmt.Fprintln(out)
	if op.Code < iip.OpSendBuf || op.Code > iip.OpSendCopy {
		return
	}
	d.about.tx += op.Out
	d.about.blocked = d.about.blocked || op.Out < uint64(op.Len)
	if op.Status < 0 && op.Status != iip.ErrAgain {
		d.about.goal = 0
	}
}
