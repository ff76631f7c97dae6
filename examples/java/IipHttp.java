import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;

/** iip_http: GET and HEAD of a directory and of /bytes/N, PUT to /sink. */
final class IipHttp {
    private String root;
    private long requests = 1000;
    private boolean selfTest;
    private long bodyMax = 1L << 40;
    private double headS = 10;
    private double bodyS = 20;
    private double idleS = 60;

    private Options parse(String[] args) {
        Options options = new Options("iip_http", "an HTTP/1.1 server", 80);
        options.text("root", "DIR", "directory to serve (default: a built-in page, and /bytes/N)", v -> root = v);
        options.number("body-max", "BYTES", "longest body of a PUT to /sink", 0, 1L << 60, v -> bodyMax = v);
        options.seconds("head-timeout", "S", "for the head of a request (10)", v -> headS = v);
        options.seconds("body-timeout", "S", "for 16 KiB of a body, either way (20)", v -> bodyS = v);
        options.seconds("idle-timeout", "S", "between requests (60)", v -> idleS = v);
        options.flag("self-test", "serve a client in this process, on pair: or sim:", () -> selfTest = true);
        options.number("requests", "N", "how many the self-test makes (1000)", 1, 1_000_000_000, v -> requests = v);
        options.parse(args);
        return options;
    }

    private HttpSite site(Options options) {
        try {
            Path dir = root == null ? null : Path.of(root).toRealPath();
            if (dir != null && !Files.isDirectory(dir)) {
                throw options.usage("root", root, "Not a directory");
            }
            HttpSite site = new HttpSite(dir);
            site.bodyMax = bodyMax;
            site.headS = headS;
            site.bodyS = bodyS;
            site.idleS = idleS;
            return site;
        } catch (IOException e) {
            throw options.usage("root", root, "No such directory");
        }
    }

    public static void main(String[] args) throws InterruptedException {
        IipHttp http = new IipHttp();
        Options options = http.parse(args);
        HttpSite site = http.site(options);
        if (http.selfTest) {
            System.exit(HttpSelfTest.run(options, site, http.requests));
        }
        Run run = new Run(options, HttpServer.COUNTS);
        run.listen();
        run.serve(loop -> new HttpServer(loop, site));
    }
}
