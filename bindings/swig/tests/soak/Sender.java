import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.concurrent.atomic.AtomicLong;
import org.iip.Event;
import org.iip.Iip;
import org.iip.Loop;

/** Keeps so many connections open, sends pieces of any size on any of them, ends them, opens others. */
final class Sender {
    private static final int OPENING = 64; // at a time
    private static final int PIECES = 64; // in a turn
    private static final int PIECE_MAX = 6000;
    private static final int STREAM_MIN = 10_000;
    private static final int STREAM_MAX = 1_000_000;

    private static final class Conn {
        long handle;
        long id;
        long at;
        long length;
        boolean connected;
        boolean blocked;
        boolean shut;
    }

    private final Loop loop;
    private final Random random;
    private final int wanted;
    private final Map<Long, Conn> conns = new HashMap<>();
    private final List<Conn> ready = new ArrayList<>(); // connected, not shut
    private int opening;
    final AtomicLong opened = new AtomicLong();
    final AtomicLong sent = new AtomicLong();
    final List<String> errors = new ArrayList<>();

    Sender(Loop loop, int wanted, long seed) {
        this.loop = loop;
        this.wanted = wanted;
        random = new Random(seed);
    }

    private void open() {
        Conn conn = new Conn();
        conn.id = opened.incrementAndGet();
        conn.length = STREAM_MIN + random.nextInt(STREAM_MAX - STREAM_MIN);
        conn.handle = loop.connect("10.0.0.2:7", 0);
        conns.put(conn.handle, conn);
        opening++;
    }

    private void shut(Conn conn) {
        conn.shut = true;
        ready.remove(conn);
        Iip.connShutdown(conn.handle);
    }

    private void piece(Conn conn) {
        int n = (int) Math.min(64 + random.nextInt(PIECE_MAX), conn.length - conn.at);
        int taken = Iip.send(conn.handle, Content.bytes(conn.id, conn.at, n));
        conn.at += taken;
        sent.addAndGet(taken);
        conn.blocked = taken < n;
        if (conn.at == conn.length) {
            shut(conn);
        }
    }

    private void look(Event event) {
        Conn conn = conns.get(event.src());
        if (conn == null) {
            return;
        }
        switch (event.type()) {
            case Iip.EVENT_CONNECTED -> {
                conn.connected = true;
                opening--;
                ready.add(conn);
            }
            case Iip.EVENT_WRITABLE -> conn.blocked = false;
            case Iip.EVENT_CLOSED -> {
                conns.remove(event.src());
                if (!conn.shut || event.status() < 0) {
                    errors.add("connection " + conn.id + ": " + Iip.statusName(event.status()));
                    ready.remove(conn);
                }
            }
            default -> { }
        }
    }

    /** One turn, and what is sent in it; `last`: all connections come to their end. Whether there are connections. */
    boolean turn(boolean last) {
        while (!last && conns.size() < wanted && opening < OPENING) {
            open();
        }
        for (int i = 0; i < PIECES && !ready.isEmpty() && !last; i++) {
            Conn conn = ready.get(random.nextInt(ready.size()));
            if (!conn.blocked) {
                piece(conn);
            }
        }
        if (last) {
            List.copyOf(ready).forEach(this::shut);
        }
        for (Event event : loop.turn(1000, 0)) {
            look(event);
        }
        return !conns.isEmpty();
    }
}
