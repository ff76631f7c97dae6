import java.util.ArrayDeque;
import java.util.Deque;

/** Messages that are answered: so many on their way at a time, each with the time when it began. */
abstract class LoadMessages extends LoadTalk {
    long finished;
    private final Deque<Long> stamps = new ArrayDeque<>();

    LoadMessages(LoadClient load, LoadClient.Conn conn) {
        super(load, conn);
    }

    boolean waits() {
        return !stamps.isEmpty();
    }

    private void begin() {
        if (load.over() || load.quota == 0) {
            return;
        }
        load.quota--;
        stamps.add(System.nanoTime());
        conn.allowed += load.plan.unit();
    }

    void finish() {
        load.result.latency.add(System.nanoTime() - stamps.remove());
        load.result.requests++;
        load.at.run.count("messages", 1);
        finished++;
        begin();
    }

    @Override
    void start() {
        for (int i = 0; i < load.plan.depth; i++) {
            begin();
        }
    }

    @Override
    boolean idle() {
        return !waits() && (load.over() || load.quota == 0);
    }

    @Override
    void fin() {
        if (!conn.shut && !idle()) {
            load.failed(conn, "the server ended a connection that waits for an answer");
        }
    }
}
