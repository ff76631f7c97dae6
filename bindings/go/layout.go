package iip

// #include "bridge.h"
import "C"

import (
	"fmt"
	"sync"
	"unsafe"
)

type place struct{ offset, size uintptr }

// layout is where Go believes that the fields of the frozen structures lie.
func layout() map[string]place {
	var (
		ev Event
		op Op
		sp Span
		ad rawAddr
		as rawAddrs
		tn turnRecord
	)
	return map[string]place{
		"iip_event.":               {0, unsafe.Sizeof(ev)},
		"iip_event.src":            {unsafe.Offsetof(ev.Src), 8},
		"iip_event.user":           {unsafe.Offsetof(ev.User), 8},
		"iip_event.type":           {unsafe.Offsetof(ev.Type), 2},
		"iip_event.flags":          {unsafe.Offsetof(ev.Flags), 2},
		"iip_event.status":         {unsafe.Offsetof(ev.Status), 4},
		"iip_event.buf":            {unsafe.Offsetof(ev.Buf), 8},
		"iip_event.addr":           {unsafe.Offsetof(ev.addr), 8},
		"iip_event.len":            {unsafe.Offsetof(ev.Len), 4},
		"iip_event.offset":         {unsafe.Offsetof(ev.offset), 4},
		"iip_event.region":         {unsafe.Offsetof(ev.region), 2},
		"iip_event.aux":            {unsafe.Offsetof(ev.aux), 4},
		"iip_event.value":          {unsafe.Offsetof(ev.Value), 8},
		"iip_op.":                  {0, unsafe.Sizeof(op)},
		"iip_op.code":              {unsafe.Offsetof(op.Code), 2},
		"iip_op.flags":             {unsafe.Offsetof(op.Flags), 2},
		"iip_op.len":               {unsafe.Offsetof(op.Len), 4},
		"iip_op.obj":               {unsafe.Offsetof(op.Obj), 8},
		"iip_op.user":              {unsafe.Offsetof(op.User), 8},
		"iip_op.buf":               {unsafe.Offsetof(op.Buf), 8},
		"iip_op.arg":               {unsafe.Offsetof(op.Arg), 8},
		"iip_op.offset":            {unsafe.Offsetof(op.Offset), 4},
		"iip_op.aux":               {unsafe.Offsetof(op.Aux), 4},
		"iip_op.out":               {unsafe.Offsetof(op.Out), 8},
		"iip_op.status":            {unsafe.Offsetof(op.Status), 4},
		"iip_span.":                {0, unsafe.Sizeof(sp)},
		"iip_span.buf":             {unsafe.Offsetof(sp.Buf), 8},
		"iip_span.addr":            {unsafe.Offsetof(sp.addr), 8},
		"iip_span.len":             {unsafe.Offsetof(sp.Len), 4},
		"iip_addr.":                {0, unsafe.Sizeof(ad)},
		"iip_addr.ip":              {unsafe.Offsetof(ad.ip), 16},
		"iip_addr.port":            {unsafe.Offsetof(ad.port), 2},
		"iip_addr.family":          {unsafe.Offsetof(ad.family), 2},
		"iip_addr.scope":           {unsafe.Offsetof(ad.scope), 4},
		"iip_addrs.":               {0, unsafe.Sizeof(as)},
		"iip_addrs.local":          {unsafe.Offsetof(as.local), 32},
		"iip_addrs.peer":           {unsafe.Offsetof(as.peer), 32},
		"iip_turn.size":            {unsafe.Offsetof(tn.size), 4},
		"iip_turn.flags":           {unsafe.Offsetof(tn.flags), 4},
		"iip_turn.wait_us":         {unsafe.Offsetof(tn.waitUs), 8},
		"iip_turn.op_n":            {unsafe.Offsetof(tn.opN), 4},
		"iip_turn.release_n":       {unsafe.Offsetof(tn.releaseN), 4},
		"iip_turn.tx_taken":        {unsafe.Offsetof(tn.txTaken), 4},
		"iip_turn.event_max":       {unsafe.Offsetof(tn.eventMax), 4},
		"iip_turn.event_n":         {unsafe.Offsetof(tn.eventN), 4},
		"iip_turn.tx_free_n":       {unsafe.Offsetof(tn.txFreeN), 4},
		"iip_turn.op_short":        {unsafe.Offsetof(tn.opShort), 4},
		"iip_turn.release_failed":  {unsafe.Offsetof(tn.releaseFailed), 4},
		"iip_turn.state":           {unsafe.Offsetof(tn.state), 4},
		"iip_turn.rx_packets":      {unsafe.Offsetof(tn.rxCount), 4},
		"iip_turn.now_us":          {unsafe.Offsetof(tn.nowUs), 8},
		"iip_turn.deadline_us":     {unsafe.Offsetof(tn.deadlineUs), 8},
		"iip_log_record.":          {0, C.sizeof_struct_iip_log_record},
		"iip_engine_cfg.reserved":  {unsafe.Offsetof(C.struct_iip_engine_cfg{}.reserved), 4},
		"iip_area.op_aux_bytes":    {unsafe.Offsetof(C.struct_iip_area{}.op_aux_bytes), 4},
		"iip_area.woken":           {unsafe.Offsetof(C.struct_iip_area{}.woken), 8},
		"iip_loop_stats.rx_bytes":  {unsafe.Offsetof(C.struct_iip_loop_stats{}.rx_bytes), 8},
		"iip_engine_info.conns":    {unsafe.Offsetof(C.struct_iip_engine_info{}.conns), 4},
		"iip_leaks.regions":        {unsafe.Offsetof(C.struct_iip_leaks{}.regions), 4},
		"iip_conn_info.bytes_out":  {unsafe.Offsetof(C.struct_iip_conn_info{}.bytes_out), 8},
		"iip_region_info.reserved": {unsafe.Offsetof(C.struct_iip_region_info{}.reserved), 4},
	}
}

// verify compares a layout with that of the library that is loaded.
func verify(want map[string]place) error {
	if st := Status(C.iip_abi_require(C.IIP_ABI_MAJOR, C.IIP_ABI_MINOR)); st < 0 {
		return &OpError{Op: "load", Status: st, Detail: fmt.Sprintf("libiip %s has another interface than this binding (%d.%d)",
			C.GoString(C.iip_version()), C.IIP_ABI_MAJOR, C.IIP_ABI_MINOR)}
	}
	seen := 0
	var row C.struct_iip_layout
	for i := C.uint32_t(0); C.iip_layout_get(i, &row) >= 0; i++ {
		name := C.GoString(row._type) + "."
		if row.field != nil {
			name += C.GoString(row.field)
		}
		w, ok := want[name]
		if !ok {
			continue
		}
		seen++
		if w.offset != uintptr(row.offset) || w.size != uintptr(row.size) {
			return &OpError{Op: "load", Status: ErrABI, Detail: fmt.Sprintf("%s lies at %d+%d in libiip, and at %d+%d in this binding",
				name, row.offset, row.size, w.offset, w.size)}
		}
	}
	if seen != len(want) {
		return &OpError{Op: "load", Status: ErrABI, Detail: fmt.Sprintf("libiip knows %d of %d fields", seen, len(want))}
	}
	return nil
}

// loaded is the answer for this process.
var loaded = sync.OnceValue(func() error { return verify(layout()) })
