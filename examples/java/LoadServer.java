import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.ArrayDeque;
import java.util.Arrays;
import java.util.Deque;
import java.util.HashMap;
import java.util.Map;
import org.iip.Event;
import org.iip.Iip;

/** The other side of the bulk modes: send receives and verifies what a client sends, recv sends, pp echoes. */
final class LoadServer implements Worker {
    private static final int PART = 65536;
    private static final byte[] NONE = {};

    private static final class Conn {
        long handle;
        final Deque<Event> inbox = new ArrayDeque<>(); // held unread, it closes the peer's window
        byte[] out = NONE;
        long sent;
        long received;
        long right;
        boolean blocked;
        boolean eof;
        boolean judged;
        boolean shut;
    }

    private final LoopThread at;
    private final LoadPlan plan;
    private final Map<Long, Conn> conns = new HashMap<>();

    LoadServer(LoopThread at, LoadPlan plan) {
        this.at = at;
        this.plan = plan;
    }

    /** Whether all of what waits is on its way. */
    private static boolean flush(Conn conn) {
        if (conn.out.length > 0 && !conn.blocked) {
            int taken = Calls.send(conn.handle, conn.out);
            conn.blocked = taken < conn.out.length;
            conn.out = Arrays.copyOfRange(conn.out, taken, conn.out.length);
        }
        return conn.out.length == 0;
    }

    private static void finish(Conn conn) {
        if (!conn.shut) {
            conn.shut = true;
            Calls.close(conn.handle);
        }
    }

    private void echo(Conn conn) {
        while (flush(conn) && !conn.inbox.isEmpty()) {
            conn.out = conn.inbox.remove().recv();
            at.run.count("payload_bytes", conn.out.length);
        }
        if (conn.eof && conn.out.length == 0) {
            finish(conn);
        }
    }

    private void receive(Conn conn) {
        while (!conn.inbox.isEmpty()) {
            byte[] bytes = conn.inbox.remove().recv();
            conn.right += conn.right == conn.received ? Pattern.right(ByteBuffer.wrap(bytes), conn.received) : 0;
            conn.received += bytes.length;
            at.run.count("payload_bytes", bytes.length);
        }
        if (conn.eof && !conn.judged) {
            conn.judged = true;
            String verdict = conn.right == conn.received ? "right" : "right, then a wrong one";
            conn.out = (conn.right + " bytes " + verdict + "\n").getBytes(StandardCharsets.ISO_8859_1);
        }
        if (flush(conn) && conn.judged) {
            finish(conn);
        }
    }

    private void transmit(Conn conn) {
        while (!conn.inbox.isEmpty()) {
            conn.inbox.remove().release();
        }
        while (flush(conn) && conn.sent < plan.bytes && !conn.eof) {
            conn.out = Pattern.bytes(conn.sent, (int) Math.min(PART, plan.bytes - conn.sent));
            conn.sent += conn.out.length;
            at.run.count("payload_bytes", conn.out.length);
        }
        if (conn.eof || conn.out.length == 0 && conn.sent == plan.bytes) {
            finish(conn);
        }
    }

    @Override
    public void event(Event event) {
        if (event.type() == Iip.EVENT_ACCEPT) {
            Conn made = new Conn();
            made.handle = event.src();
            conns.put(event.src(), made);
            at.run.count("opened", 1);
        }
        Conn conn = conns.get(event.src());
        if (conn == null) {
            return;
        }
        if (event.type() == Iip.EVENT_CLOSED) {
            conns.remove(event.src()).inbox.forEach(Event::release);
            return;
        }
        if (event.type() == Iip.EVENT_DATA) {
            conn.inbox.add(event);
        }
        conn.eof |= event.type() == Iip.EVENT_FIN;
        conn.blocked &= event.type() != Iip.EVENT_WRITABLE;
        switch (plan.mode) {
            case "pp" -> echo(conn);
            case "send" -> receive(conn);
            default -> transmit(conn);
        }
    }
}
