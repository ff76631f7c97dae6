import java.util.Set;
import java.util.function.LongSupplier;
import org.iip.Iip;
import org.iip.IipException;

/** Calls on connections that may be over already. */
final class Calls {
    private static final Set<Integer> GONE = Set.of(Iip.E_STALE, Iip.E_NOT_CONNECTED, Iip.E_SHUTDOWN);

    private Calls() {}

    /**
     * What the call returns; -1 when the connection is over, which its CLOSED event tells or told, or when memory is
     * short. Mistakes are thrown.
     */
    static long attempt(LongSupplier call) {
        try {
            return call.getAsLong();
        } catch (IipException e) {
            if (Iip.statusClass(e.status()) == Iip.CLASS_USAGE && !GONE.contains(e.status())) {
                throw e;
            }
            return -1;
        }
    }

    static void abort(long conn) {
        attempt(() -> Iip.connAbort(conn));
    }

    static void close(long conn) {
        attempt(() -> Iip.handleClose(conn));
    }

    static void shutdown(long conn) {
        attempt(() -> Iip.connShutdown(conn));
    }

    /** Bytes taken; 0 when the connection is over. */
    static int send(long conn, byte[] bytes) {
        return (int) Math.max(attempt(() -> Iip.send(conn, bytes)), 0);
    }
}
