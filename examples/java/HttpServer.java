import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.iip.ConnInfo;
import org.iip.Event;
import org.iip.Iip;
import org.iip.IipException;

/** One loop of iip_http: events to connections, and the time limits. */
final class HttpServer implements Worker {
    static final String[] COUNTS = {
        "accepted", "closed", "requests", "answers_ok", "answers_refused", "timeouts", "bytes"
    };
    private static final long TICK_NS = 250_000_000;
    private static final double LINGER_S = 5;
    private static final double SCARCE_S = 1;
    private static final long PROGRESS_MIN = 16384;

    private final LoopThread at;
    private final HttpSite site;
    private final Map<Long, HttpConn> conns = new HashMap<>();
    private long looked = System.nanoTime();

    HttpServer(LoopThread at, HttpSite site) {
        this.at = at;
        this.site = site;
    }

    @Override
    public void event(Event event) {
        long handle = event.src();
        if (event.type() == Iip.EVENT_ACCEPT) {
            conns.put(handle, new HttpConn(at, site, handle));
            at.run.count("accepted", 1);
            return;
        }
        HttpConn conn = conns.get(handle);
        if (conn == null) {
            return;
        }
        switch (event.type()) {
            case Iip.EVENT_DATA -> conn.put(event);
            case Iip.EVENT_FIN -> conn.eof = true;
            case Iip.EVENT_WRITABLE -> conn.blocked = false;
            case Iip.EVENT_CLOSED -> {
                at.run.count("closed", 1);
                conns.remove(handle).free();
                return;
            }
            default -> {
                return;
            }
        }
        if ((event.flags() & Iip.EVENT_MORE) == 0) {
            conn.goOn();
        }
    }

    // ---- time limits ----

    @Override
    public void turned() {
        long now = System.nanoTime();
        if (now - looked < TICK_NS) {
            return;
        }
        looked = now;
        List<HttpConn> late = conns.values().stream().filter(c -> (now - c.since) / 1e9 >= limit(c.phase)).toList();
        late.forEach(this::late);
        conns.values().stream().filter(c -> c.waits).toList().forEach(HttpConn::goOn);
    }

    private double limit(HttpConn.Phase phase) {
        return switch (phase) {
            case IDLE -> site.idleS;
            case HEAD -> site.headS;
            case BODY -> site.bodyS;
            // When buffers are few, those who do not read what they asked for hold what others wait for.
            case ANSWER -> (at.loop.state() & Iip.STATE_POOL_LOW) != 0 ? Math.min(site.bodyS, SCARCE_S) : site.bodyS;
            case LINGER -> LINGER_S;
        };
    }

    /** Its peer took all that there was: it waits for a buffer of ours. */
    private static boolean waitsForUs(HttpConn conn) {
        try {
            ConnInfo info = Iip.connInfo(conn.handle);
            return info.getUnacked() + info.getUnsent() == 0;
        } catch (IipException e) {
            return false;
        }
    }

    /** A head must be whole in time. Bodies may take as long as they take, while they advance. */
    private void late(HttpConn conn) {
        boolean isBody = conn.phase == HttpConn.Phase.BODY || conn.phase == HttpConn.Phase.ANSWER;
        if (isBody && conn.progress >= PROGRESS_MIN || conn.phase == HttpConn.Phase.ANSWER && waitsForUs(conn)) {
            conn.phase(conn.phase);
            return;
        }
        if (conn.phase != HttpConn.Phase.LINGER) {
            at.run.count("timeouts", 1);
        }
        switch (conn.phase) {
            case HEAD, BODY -> {
                conn.refuse(408);
                conn.goOn();
            }
            case ANSWER -> Calls.abort(conn.handle); // it does not read what it asked for
            default -> Calls.close(conn.handle);
        }
    }
}
