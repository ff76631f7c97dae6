package iipnet

// What has come from the peer, which no call of the package's users tells without taking it.

// Seen is how many bytes wait to be read, whether the stream has its end behind them, and whether the connection is over.
func (c *Conn) Seen() (bytes int, fin, gone bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for i := c.inHead; i < len(c.in); i++ {
		bytes += len(c.in[i].rest())
	}
	return bytes, c.fin, c.gone
}

// Seen is whether a datagram waits to be read, and whether one that was sent was refused.
func (c *PacketConn) Seen() (datagram, refused bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.in) != 0, c.soft != 0
}

// Waiting is how many connections wait for Accept.
func (l *Listener) Waiting() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.waiting)
}
