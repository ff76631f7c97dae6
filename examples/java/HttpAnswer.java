import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.time.ZoneOffset;
import java.time.ZonedDateTime;
import java.time.format.DateTimeFormatter;
import java.util.HexFormat;
import java.util.Map;
import java.util.Set;

/** Which answer a request gets, and its head. */
final class HttpAnswer {
    private static final long DISCARD_MAX = 1 << 20; // of a body that is only read to find the next request
    private static final Set<String> KNOWN = Set.of("POST", "PUT", "DELETE", "OPTIONS", "PATCH", "TRACE", "CONNECT");
    private static final Map<Integer, String> REASONS = Map.ofEntries(
        Map.entry(200, "OK"), Map.entry(301, "Moved Permanently"), Map.entry(400, "Bad Request"),
        Map.entry(404, "Not Found"), Map.entry(405, "Method Not Allowed"), Map.entry(408, "Request Timeout"),
        Map.entry(413, "Content Too Large"), Map.entry(414, "URI Too Long"), Map.entry(417, "Expectation Failed"),
        Map.entry(431, "Request Header Fields Too Large"), Map.entry(501, "Not Implemented"),
        Map.entry(505, "HTTP Version Not Supported"));

    final int status;
    private final String more; // a field with its line end
    HttpBody body;
    MessageDigest sink; // in place of a body that depends on the request's
    long most = DISCARD_MAX; // bytes that the request's body may have

    private HttpAnswer(int status, HttpBody body, String more) {
        this.status = status;
        this.body = body;
        this.more = more;
    }

    /** A short one: its text is its status. */
    static HttpAnswer of(int status, String more) {
        return new HttpAnswer(status, HttpBody.text("text/plain", status + " " + REASONS.get(status) + "\n"), more);
    }

    static HttpAnswer of(HttpSite site, HttpMessage request) {
        String path = HttpPath.decode(request.target);
        boolean isSink = "/sink".equals(path);
        switch (request.method) {
            case "GET", "HEAD" -> {
                return path == null ? of(400, "") : get(site, request, path);
            }
            case "PUT", "POST" -> {
                return isSink ? sink(site) : of(405, "Allow: GET, HEAD\r\n");
            }
            default -> {
                String allow = isSink ? "Allow: PUT, POST\r\n" : "Allow: GET, HEAD\r\n";
                return KNOWN.contains(request.method) ? of(405, allow) : of(501, "");
            }
        }
    }

    private static HttpAnswer get(HttpSite site, HttpMessage request, String path) {
        HttpSite.Found found = site.find(path);
        if (found.status() == 301) {
            return moved(request.target);
        }
        return found.body() == null ? of(found.status(), "") : new HttpAnswer(found.status(), found.body(), "");
    }

    /** The target as it was written, with a '/' behind its path; a path of ours ("//other.host" would not be one). */
    private static HttpAnswer moved(String target) {
        String path = HttpPath.origin(target).replaceFirst("[?].*", "").replaceFirst("^/*", "");
        return path.length() > 300 ? of(404, "") : of(301, "Location: /" + path + "/\r\n");
    }

    private static HttpAnswer sink(HttpSite site) {
        HttpAnswer made = new HttpAnswer(200, null, "");
        made.most = site.bodyMax;
        try {
            made.sink = MessageDigest.getInstance("SHA-256");
        } catch (NoSuchAlgorithmException e) {
            throw new IllegalStateException(e); // every Java has it
        }
        return made;
    }

    /** The sink has all. */
    void endSink(long length) {
        String hex = HexFormat.of().formatHex(sink.digest());
        body = HttpBody.text("text/plain", length + " bytes, sha256 " + hex + "\n");
    }

    byte[] head(boolean keep) {
        String date = DateTimeFormatter.RFC_1123_DATE_TIME.format(ZonedDateTime.now(ZoneOffset.UTC));
        return ("HTTP/1.1 " + status + " " + REASONS.get(status) + "\r\nServer: iip\r\nDate: " + date
            + "\r\nContent-Type: " + body.type + "\r\nContent-Length: " + body.length
            + "\r\nConnection: " + (keep ? "keep-alive" : "close")
            + "\r\n" + more + "\r\n").getBytes(StandardCharsets.ISO_8859_1);
    }
}
