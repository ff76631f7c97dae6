import java.nio.charset.StandardCharsets;
import java.util.ArrayDeque;
import java.util.Arrays;
import java.util.Deque;
import org.iip.Event;
import org.iip.Iip;
import org.iip.IipException;

/**
 * One connection, from request to answer to the next request. Each step uses up input or makes output and says whether
 * it did; {@link #goOn} takes steps until one says no. Then bytes must come first, or the peer must take some.
 */
final class HttpConn {
    /** Each has a time limit. */
    enum Phase { IDLE, HEAD, BODY, ANSWER, LINGER }

    private static final int HEAD_MAX = 8192;
    private static final int PART = 65536;
    private static final byte[] NONE = {};

    final long handle;
    private final LoopThread loop;
    private final Run run;
    private final HttpSite site;
    private final Deque<Event> inbox = new ArrayDeque<>(); // what stays here keeps the peer's window closed
    Phase phase;
    long since;
    long progress; // bytes since then
    boolean eof;
    boolean blocked; // WRITABLE will come
    boolean waits; // for the clock
    private boolean shut;
    private byte[] in = NONE;
    private int at;
    private final byte[] head = new byte[HEAD_MAX];
    private int headN;
    private boolean keep;
    private boolean headOnly;
    private boolean chunked;
    private HttpChunks chunks;
    private long bodyLeft;
    private long bodyN;
    private HttpAnswer answer;
    private long answered; // bytes of its body
    private byte[] out = NONE;

    HttpConn(LoopThread loop, HttpSite site, long handle) {
        this.loop = loop;
        run = loop.run;
        this.site = site;
        this.handle = handle;
        phase(Phase.IDLE);
    }

    void phase(Phase next) {
        phase = next;
        since = System.nanoTime();
        progress = 0;
    }

    void put(Event event) {
        inbox.add(event);
    }

    /** After the CLOSED event. */
    void free() {
        inbox.forEach(Event::release);
        closeBody();
    }

    /** As far as its input, and room for its output, allow. */
    void goOn() {
        boolean moved = true;
        while (moved) {
            moved = step();
        }
    }

    private boolean step() {
        return switch (phase) {
            case IDLE, HEAD -> readHead();
            case BODY -> readBody();
            case ANSWER -> sendAnswer();
            case LINGER -> forgetInput();
        };
    }

    // ---- output ----

    private void closeBody() {
        if (answer != null && answer.body != null) {
            answer.body.close();
        }
        answer = null;
    }

    /** When buffers are few, a connection whose peer does not take what it was offered gets no more of them. */
    private boolean isFed() {
        return (loop.loop.state() & Iip.STATE_POOL_LOW) != 0
            && Calls.attempt(() -> Iip.connInfo(handle).getUnsent()) > 0;
    }

    /** Whether all of what waits is on its way. */
    private boolean flush() {
        waits = out.length > 0 && !blocked && isFed();
        if (out.length > 0 && !blocked && !waits) {
            int taken = Calls.send(handle, out);
            progress += taken;
            run.count("bytes", taken);
            blocked = taken < out.length;
            out = Arrays.copyOfRange(out, taken, out.length);
        }
        return out.length == 0;
    }

    private void answer(HttpAnswer made) {
        closeBody();
        answer = made;
        answered = 0;
    }

    private void beginAnswer() {
        run.count(answer.status == 200 ? "answers_ok" : "answers_refused", 1);
        out = answer.head(keep);
        if (headOnly) {
            answered = answer.body.length;
        }
        phase(Phase.ANSWER);
    }

    /** A last answer: where the next request would begin is not known. */
    void refuse(int status) {
        keep = false;
        headOnly = false;
        answer(HttpAnswer.of(status, ""));
        beginAnswer();
    }

    private boolean sendAnswer() {
        if (!flush()) {
            return false;
        }
        if (answered < answer.body.length) {
            byte[] part = answer.body.read(answered, (int) Math.min(PART, answer.body.length - answered));
            if (part != null) {
                answered += part.length;
                out = part;
                return true;
            }
            Calls.abort(handle); // the length that was promised cannot be kept: let the client see that
            keep = false;
        }
        closeBody();
        if (keep) {
            phase(Phase.IDLE);
        } else {
            finish();
        }
        return true;
    }

    /**
     * No more to say. Then wait for the peer's end, reading and forgetting: a close with unread input would be a RST,
     * which may overtake the answer. [RFC 9112 9.6]
     */
    private void finish() {
        shut = true;
        Calls.shutdown(handle);
        phase(Phase.LINGER);
    }

    // ---- input ----

    /** Whether there is some. */
    private boolean hasInput() {
        while (at == in.length && !inbox.isEmpty()) {
            try {
                in = inbox.remove().recv();
            } catch (IipException e) { // the engine closes
                in = NONE;
            }
            at = 0;
        }
        return at < in.length;
    }

    private boolean forgetInput() {
        boolean had = hasInput();
        in = NONE;
        at = 0;
        return had;
    }

    private boolean readHead() {
        if (!hasInput()) {
            if (eof && !shut) {
                finish();
            }
            return false;
        }
        if (phase == Phase.IDLE) {
            if (in[at] == '\r' || in[at] == '\n') { // forgiven before a request [RFC 9112 2.2]
                at++;
                return true;
            }
            phase(Phase.HEAD);
            headN = 0;
            run.count("requests", 1);
            if (in[at] < 'A' || in[at] > 'z') { // TLS, or noise: no need to wait for the rest
                refuse(400);
                return true;
            }
        }
        gatherHead();
        return true;
    }

    /** One that is too long is refused, and of no other is more kept. */
    private void gatherHead() {
        int had = headN;
        int n = Math.min(in.length - at, HEAD_MAX - headN);
        System.arraycopy(in, at, head, headN, n);
        headN += n;
        int end = HttpMessage.headEnd(head, headN);
        at += end < 0 ? n : end - had;
        if (end > 0) {
            takeHead(end);
        } else if (headN == HEAD_MAX) {
            boolean hasLine = new String(head, StandardCharsets.ISO_8859_1).contains("\n");
            refuse(hasLine ? 431 : 414);
        }
    }

    private void takeHead(int n) {
        try {
            HttpMessage request = HttpMessage.request(head, n);
            begin(request);
        } catch (HttpMessage.Refused e) {
            refuse(e.status);
        }
    }

    private void begin(HttpMessage request) {
        boolean hasBody = request.chunked || request.length > 0;
        headOnly = request.method.equals("HEAD");
        keep = request.keep;
        chunked = request.chunked;
        chunks = new HttpChunks();
        bodyLeft = Math.max(request.length, 0);
        bodyN = 0;
        answer(HttpAnswer.of(site, request));
        if (bodyLeft > answer.most) {
            refuse(413);
        } else if (hasBody && request.expects && answer.sink == null) {
            keep = false; // whether the body comes after a refusal is the client's choice
            beginAnswer();
        } else if (hasBody) {
            out = request.expects ? "HTTP/1.1 100 Continue\r\n\r\n".getBytes(StandardCharsets.ISO_8859_1) : NONE;
            phase(Phase.BODY);
        } else {
            endBody();
        }
    }

    // ---- bodies ----

    private void endBody() {
        if (answer.sink != null) {
            answer.endSink(bodyN);
        }
        beginAnswer();
    }

    private boolean readBody() {
        if (!flush()) { // 100 Continue
            return false;
        }
        if (!hasInput()) {
            if (eof) {
                refuse(400);
            }
            return eof;
        }
        if (chunked) {
            at = chunks.skip(in, at);
        }
        int n = chunked ? chunks.data(in.length - at) : (int) Math.min(bodyLeft, in.length - at);
        if (answer.sink != null) {
            answer.sink.update(in, at, n);
        }
        at += n;
        bodyN += n;
        bodyLeft -= chunked ? 0 : n;
        progress += n;
        lookAtBody();
        return true;
    }

    private void lookAtBody() {
        if (bodyN > answer.most) {
            refuse(413);
        } else if (chunked && chunks.bad()) {
            refuse(400);
        } else if (chunked ? chunks.done() : bodyLeft == 0) {
            endBody();
        }
    }
}
