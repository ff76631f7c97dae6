import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.iip.Event;
import org.iip.Iip;

/** The clients of one loop: opens connections, talks, counts, and comes to an end. */
final class LoadClient implements Worker {
    static final String[] COUNTS = {"opened", "messages", "payload_bytes"};
    /** Connections being opened at a time: few until the peer answered, for few packets wait for its address. */
    private static final int OPENING_FIRST = 4;
    private static final int OPENING_MAX = 256;
    private static final double ALONE_S = 5;
    private static final double LATE_S = 2;
    private static final int PART = 65536;

    static final class Conn {
        long handle;
        LoadTalk talk;
        long sent; // positions in the stream
        long allowed;
        long received;
        boolean connected;
        boolean blocked; // WRITABLE will come
        boolean shut;
        boolean ended; // our side has no more to say, on purpose
        boolean bad;
        boolean eof;
    }

    final LoopThread at;
    final LoadPlan plan;
    final LoadResult result = new LoadResult();
    long quota; // messages that may still be started
    private final Map<Long, Conn> conns = new HashMap<>();
    private final long began = System.nanoTime();
    private long toOpen;
    private int opening;
    private boolean met; // the peer answered once
    private boolean gaveUp;
    private double overSince = -1; // the time was up then
    private boolean done;

    LoadClient(LoopThread at, LoadPlan plan) {
        this.at = at;
        this.plan = plan;
        int loops = (int) at.run.engine.info().getLoops();
        toOpen = LoadPlan.share(plan.conns, at.index, loops);
        quota = LoadPlan.share(plan.count, at.index, loops);
        openSome();
    }

    private double seconds() {
        return (System.nanoTime() - began) / 1e9;
    }

    boolean over() {
        return gaveUp || overSince >= 0;
    }

    private static void say(String what) {
        System.err.println("iip_load: " + what);
    }

    private static void abort(Conn conn) {
        conn.ended = true;
        Calls.abort(conn.handle);
    }

    void mismatch(Conn conn, String what) {
        result.mismatches++;
        if (!conn.bad) {
            say(what);
        }
        conn.bad = true;
        abort(conn);
    }

    void failed(Conn conn, String what) {
        say(what);
        result.errors++;
        abort(conn);
    }

    // ---- out ----

    private void pump(Conn conn) {
        if (!conn.connected || conn.bad || conn.shut) {
            return;
        }
        while (!conn.blocked && !conn.talk.idle() && conn.sent < conn.allowed) {
            byte[] part = conn.talk.out((int) Math.min(PART, conn.allowed - conn.sent));
            int taken = Calls.send(conn.handle, part);
            conn.talk.sent(taken);
            conn.sent += taken;
            conn.blocked = taken < part.length;
        }
        if (conn.talk.idle()) {
            conn.ended = true;
            conn.shut = true;
            Calls.shutdown(conn.handle);
        }
    }

    // ---- the life of connections ----

    private boolean openOne() {
        Conn conn = new Conn();
        conn.handle = Calls.attempt(() -> at.loop.connect(plan.peer, 0));
        if (conn.handle < 0) {
            result.errors++;
            say("connect: no connection can be opened now");
            return false;
        }
        conn.talk = LoadTalk.of(this, conn);
        conns.put(conn.handle, conn);
        opening++;
        at.run.count("opened", 1);
        return true;
    }

    private void openSome() {
        while (toOpen > 0 && opening < (met ? OPENING_MAX : OPENING_FIRST) && !over()) {
            toOpen = openOne() ? toOpen - 1 : 0;
        }
    }

    /** All that is open ends as an error, also what was not opened yet. */
    private void giveUp(String why) {
        say(conns.size() + toOpen + " connections: " + why);
        result.errors += conns.size() + toOpen;
        gaveUp = true;
        toOpen = 0;
        List.copyOf(conns.values()).forEach(LoadClient::abort);
    }

    private void timeOver() {
        if (!met && !conns.isEmpty()) {
            giveUp("nobody answered");
            return;
        }
        overSince = seconds();
        toOpen = 0;
        for (Conn conn : List.copyOf(conns.values())) {
            if (plan.mode.equals("recv") || !conn.connected) { // the other side would go on for ever
                abort(conn);
            } else {
                pump(conn);
            }
        }
    }

    private void lookAtClock() {
        double now = seconds();
        if (gaveUp) {
            return;
        }
        if (plan.durationS > 0 && overSince < 0 && now >= plan.durationS) {
            timeOver();
        } else if (overSince >= 0 && !conns.isEmpty() && now - overSince > LATE_S) {
            giveUp("not done 2 s after the time was up");
        } else if (overSince < 0 && !met && !conns.isEmpty() && now > ALONE_S) {
            giveUp("nobody answered in 5 s");
        }
    }

    // ---- events ----

    private void closed(Conn conn, Event event) {
        if (!conn.ended && !conn.bad) {
            result.errors++;
            say("a connection ended: " + Iip.statusText(event.status()));
        }
        conns.remove(conn.handle);
        opening -= conn.connected ? 0 : 1;
    }

    private void look(Conn conn, Event event) {
        switch (event.type()) {
            case Iip.EVENT_CONNECTED -> {
                conn.connected = true;
                met = true;
                opening--;
                conn.talk.start();
            }
            case Iip.EVENT_DATA -> conn.talk.take(event.recv());
            case Iip.EVENT_WRITABLE -> conn.blocked = false;
            case Iip.EVENT_FIN -> {
                conn.eof = true;
                conn.talk.fin();
            }
            default -> { }
        }
        pump(conn);
    }

    @Override
    public void event(Event event) {
        Conn conn = conns.get(event.src());
        if (conn == null || conn.bad && event.type() != Iip.EVENT_CLOSED) {
            if (event.buf() != 0) {
                event.release();
            }
        } else if (event.type() == Iip.EVENT_CLOSED) {
            closed(conn, event);
        } else {
            look(conn, event);
        }
    }

    /** All loops turn until the last is done: where the port does not steer, a busy one's packets arrive at others. */
    @Override
    public void turned() {
        lookAtClock();
        openSome();
        if (conns.isEmpty() && toOpen == 0 && !done) {
            done = true;
            result.seconds = seconds();
            plan.result.merge(result);
            if (plan.loopsDone.incrementAndGet() == at.run.engine.info().getLoops()) {
                at.run.over();
            }
        }
    }
}
