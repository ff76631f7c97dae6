import java.nio.charset.StandardCharsets;
import java.util.concurrent.atomic.AtomicInteger;

/** What is to be done, by all loops together. */
final class LoadPlan {
    String mode = "pp";
    String peer;
    String path = "/bytes/1000";
    byte[] request; // http
    long expect = -1; // http: bytes of /bytes/N; -1: any body, not verified
    long conns = 1;
    long size = 1; // pp: bytes of a message
    long depth = 1; // pp, http: messages on their way at a time
    long count = Long.MAX_VALUE; // messages
    long bytes = Long.MAX_VALUE; // bulk: of each connection
    double durationS;
    final AtomicInteger loopsDone = new AtomicInteger();
    final LoadResult result = new LoadResult();

    /** Who is talked to, and what is asked of it. */
    void peer(String at) {
        peer = at;
        request = ("GET " + path + " HTTP/1.1\r\nHost: " + peer + "\r\n\r\n").getBytes(StandardCharsets.ISO_8859_1);
        expect = path.matches("/bytes/[0-9]{1,18}") ? Long.parseLong(path.substring(7)) : -1;
    }

    /** Bytes of a message. */
    long unit() {
        return mode.equals("http") ? request.length : size;
    }

    /** Of `all`, what falls to loop `index` of `loops`. */
    static long share(long all, int index, int loops) {
        return all == Long.MAX_VALUE ? all : all / loops + (index < all % loops ? 1 : 0);
    }
}
