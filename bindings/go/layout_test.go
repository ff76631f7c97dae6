package iip

import "testing"

// A library whose fields lie elsewhere is refused, with the field's name.
func TestLayoutIsCompared(t *testing.T) {
	if err := verify(layout()); err != nil {
		t.Fatal(err)
	}
	other := layout()
	other["iip_event.len"] = place{48, 4}
	if err := verify(other); err == nil {
		t.Error("a field at another place was not noticed")
	}
	other = layout()
	other["iip_event.none"] = place{}
	if err := verify(other); err == nil {
		t.Error("a field that the library does not know was not noticed")
	}
}
