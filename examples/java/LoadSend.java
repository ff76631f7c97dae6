import java.nio.charset.StandardCharsets;

/** send: a stream that goes out; the server says at the end how much of it was right. */
final class LoadSend extends LoadTalk {
    private static final int VERDICT_MAX = 1000;
    private String verdict = "";

    LoadSend(LoadClient load, LoadClient.Conn conn) {
        super(load, conn);
    }

    @Override
    void start() {
        conn.allowed = load.plan.bytes;
    }

    @Override
    void sent(int n) {
        load.result.bytes += n;
        load.at.run.count("payload_bytes", n);
    }

    @Override
    boolean idle() {
        return load.over() || conn.sent == conn.allowed;
    }

    @Override
    void take(byte[] bytes) {
        if (verdict.length() < VERDICT_MAX) {
            verdict += new String(bytes, StandardCharsets.ISO_8859_1);
        }
    }

    @Override
    void fin() {
        if (!conn.shut || !verdict.isEmpty() && !verdict.equals(conn.sent + " bytes right\n")) {
            wrong("the receiver did not get what was sent");
        } else {
            load.result.requests++;
        }
    }
}
