// Proof that <iip/iip.h> suffices for Go: an echo over an in-memory pair that crosses into C once a turn.
//
//	CGO_CFLAGS="-I..." CGO_LDFLAGS="-L... -liip" go run .
//
// Events, operations and bytes are read and written in place, in C memory; no Go pointer ever goes to C.
package main

/*
#include <stdlib.h>
#include <iip/iip.h>
*/
import "C"

import (
	"bytes"
	"fmt"
	"os"
	"runtime"
	"unsafe"
)

const (
	conns  = 32
	rounds = 2000
)

var ping = []byte("ping over a pair")

func ok(status C.int32_t) int {
	if status < 0 {
		panic(C.GoString(C.iip_status_name(status)))
	}
	return int(status)
}

// inPlace is an array in C memory, as Go sees it.
func inPlace[T any](first *T, n C.uint32_t) []T { return unsafe.Slice(first, int(n)) }

type side struct {
	engine    *C.struct_iip_engine
	loop      *C.struct_iip_loop
	area      C.struct_iip_area
	turn      *C.struct_iip_turn
	crossings int
}

func open(address string) *side {
	s := &side{}
	var cfg C.struct_iip_engine_cfg
	cfg.size = C.uint32_t(unsafe.Sizeof(cfg))
	cfg.port, cfg.addresses = C.CString("pair:go"), C.CString(address)
	why := (*C.char)(C.calloc(256, 1))
	if C.iip_engine_open(&cfg, &s.engine, why, 256) < 0 {
		panic(C.GoString(why))
	}
	ok(C.iip_engine_loop(s.engine, 0, &s.loop))
	ok(C.iip_loop_attach(s.loop))
	s.area.size = C.uint32_t(unsafe.Sizeof(s.area))
	ok(C.iip_loop_area(s.loop, &s.area))
	s.turn = s.area.turn
	return s
}

// once is the only crossing on the data path.
func (s *side) once() []C.struct_iip_event {
	s.crossings++
	return inPlace(s.area.events, C.uint32_t(ok(C.iip_loop_turn(s.loop, s.turn))))
}

func (s *side) send(conn, buf C.uint64_t, n C.uint32_t) {
	ops := inPlace(s.area.ops, s.area.op_cap)
	ops[s.turn.op_n] = C.struct_iip_op{code: C.IIP_OP_SEND_BUF, obj: conn, buf: buf, len: n}
	s.turn.op_n++
}

func (s *side) release(buf C.uint64_t) {
	inPlace(s.area.releases, s.area.release_cap)[s.turn.release_n] = buf
	s.turn.release_n++
}

func memory(addr C.uint64_t, n C.uint32_t) []byte {
	return unsafe.Slice((*byte)(*(*unsafe.Pointer)(unsafe.Pointer(&addr))), int(n))
}

func (s *side) ask(conn C.uint64_t) {
	span := inPlace(s.area.tx_free, s.turn.tx_free_n)[s.turn.tx_taken]
	s.turn.tx_taken++
	s.send(conn, span.buf, C.uint32_t(copy(memory(span.addr, span.len), ping)))
}

func main() {
	runtime.LockOSThread() // a loop belongs to a thread
	ok(C.iip_abi_require(C.IIP_ABI_MAJOR, C.IIP_ABI_MINOR))
	server, client := open("10.0.0.2/24"), open("10.0.0.1/24")
	var handle C.uint64_t
	ok(C.iip_loop_listen(server.loop, C.CString(":7"), 0, &handle))
	for i := 0; i < conns; i++ {
		ok(C.iip_loop_connect(client.loop, C.CString("10.0.0.2:7"), C.uint64_t(i), &handle))
	}
	answered, turns := 0, 0
	for answered < conns*rounds {
		turns += 2
		for _, ev := range server.once() {
			if ev._type == C.IIP_EVENT_DATA {
				server.send(ev.src, ev.buf, ev.len) // the buffer itself goes back: not a byte is copied
			}
		}
		for _, ev := range client.once() {
			if ev._type == C.IIP_EVENT_DATA {
				if !bytes.Equal(memory(ev.addr, ev.len), ping) {
					panic("these are not the bytes that were sent")
				}
				client.release(ev.buf)
				answered++
			}
			if ev._type == C.IIP_EVENT_DATA || ev._type == C.IIP_EVENT_CONNECTED {
				client.ask(ev.src)
			}
		}
	}
	crossings := server.crossings + client.crossings
	fmt.Printf("%d answers on %d connections, %d turns, %d crossings\n", answered, conns, turns, crossings)
	ok(C.iip_engine_close(client.engine, nil))
	ok(C.iip_engine_close(server.engine, nil))
	if crossings != turns {
		os.Exit(1)
	}
}
