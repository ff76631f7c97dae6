import java.util.function.Function;
import org.iip.Event;
import org.iip.Events;
import org.iip.Iip;
import org.iip.IipException;
import org.iip.Loop;

/** One loop of an engine and the thread that turns it. */
final class LoopThread {
    private static final long CLOSE_NS = 2_000_000_000L; // a port that takes no more packets must not keep us for ever
    private static final long WAIT_US = 100_000;

    final Run run;
    final Loop loop;
    final int index;
    private final Thread thread;
    private Thread net;
    private volatile boolean stop;
    private volatile boolean netStop;
    private volatile boolean asked;
    private volatile Stats stats = new Stats();
    private boolean closing;
    private long closingSince;

    LoopThread(Run run, int index, Function<LoopThread, Worker> make) {
        this.run = run;
        this.index = index;
        loop = run.engine.loop(index);
        thread = new Thread(() -> main(make), "loop " + index);
    }

    void start() {
        if (!run.options.model.equals("unified")) {
            net = new Thread(this::network, "networking " + index);
            net.start();
        }
        thread.start();
    }

    // ---- for any thread ----

    /** Bring the loop to its end. */
    void finish() {
        stop = true;
        loop.wake();
    }

    void join() throws InterruptedException {
        thread.join();
        if (net != null) {
            netStop = true;
            loop.wake();
            net.join();
        }
    }

    boolean alive() {
        return thread.isAlive();
    }

    /** The loop's numbers as of now, or as of its end: its own thread takes them down, all at once. */
    synchronized Stats stats() throws InterruptedException {
        if (thread.isAlive()) {
            asked = true;
            loop.wake();
        }
        while (asked && thread.isAlive()) {
            wait(10);
        }
        return stats;
    }

    // ---- the thread ----

    private synchronized void tell() {
        stats = Stats.of(loop);
        asked = false;
        notifyAll();
    }

    private void main(Function<LoopThread, Worker> make) {
        try {
            loop.attach();
            Worker worker = make.apply(this);
            while (turn(worker)) { }
            tell();
            loop.detach();
        } catch (IipException e) {
            run.fail(e.getMessage());
        } catch (RuntimeException | Error e) {
            e.printStackTrace();
            run.fail(e.toString());
        } finally {
            run.ended();
        }
    }

    private boolean isOver() {
        boolean late = closing && System.nanoTime() - closingSince > CLOSE_NS;
        return (loop.state() & Iip.STATE_CLOSED) != 0 || late;
    }

    private boolean turn(Worker worker) {
        if (isOver()) {
            return false;
        }
        if (stop && !closing) {
            tell(); // while the connections still live
            loop.close();
            closing = true;
            closingSince = System.nanoTime();
        }
        if (asked) {
            tell();
        }
        Events events = loop.turn(closing || worker.busy() ? 0 : WAIT_US, 0);
        worker.before();
        for (Event event : events) {
            if (!run.listens(event)) {
                worker.event(event);
            }
        }
        worker.turned();
        return true;
    }

    /** --model split and merge: this thread does the networking; on a core of its own it polls a port that must be. */
    private void network() {
        long waitUs = run.options.model.equals("split") && run.engine.info().getPolls() != 0 ? 0 : -1;
        while (!netStop) {
            loop.net(waitUs);
        }
        loop.detach();
    }
}
