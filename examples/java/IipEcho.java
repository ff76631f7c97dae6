import java.util.ArrayDeque;
import java.util.Deque;
import java.util.HashMap;
import java.util.Map;
import org.iip.Event;
import org.iip.Iip;

/** iip_echo: received buffers go back as they are, without a copy. */
final class IipEcho implements Worker {
    /** Events whose buffers did not go back yet. */
    private static final class Conn {
        final Deque<Event> late = new ArrayDeque<>();
        boolean ended;
    }

    private final LoopThread at;
    private final Map<Long, Conn> conns = new HashMap<>();

    private IipEcho(LoopThread at) {
        this.at = at;
    }

    /** What the send queue does not take stays, and holds the peer's window closed, until WRITABLE comes. */
    private void pump(long handle, Conn conn) {
        while (!conn.late.isEmpty()) {
            Event event = conn.late.peek();
            if (Calls.attempt(() -> at.loop.sendEvent(handle, event)) != 1) {
                return;
            }
            at.run.count("bytes", event.len());
            conn.late.remove();
        }
        if (conn.ended) {
            Calls.close(handle);
        }
    }

    @Override
    public void event(Event event) {
        long handle = event.src();
        if (event.type() == Iip.EVENT_ACCEPT) {
            at.run.count("accepted", 1);
            conns.put(handle, new Conn());
        }
        Conn conn = conns.get(handle);
        if (conn == null) {
            return;
        }
        switch (event.type()) {
            case Iip.EVENT_DATA -> conn.late.add(event);
            case Iip.EVENT_FIN -> conn.ended = true;
            case Iip.EVENT_CLOSED -> {
                at.run.count("closed", 1);
                conns.remove(handle).late.forEach(Event::release);
                return;
            }
            default -> { }
        }
        pump(handle, conn);
    }

    public static void main(String[] args) throws InterruptedException {
        Options options = new Options("iip_echo", "a TCP echo server", 7);
        options.parse(args);
        Run run = new Run(options, "accepted", "closed", "bytes");
        run.listen();
        run.serve(IipEcho::new);
    }
}
