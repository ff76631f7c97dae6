# perl_test.pl - the Perl module: that a language which was added by docs/guide/swig.md works.
use strict;
use warnings;
use Test::More;
use iip;

sub side {
    my ($address) = @_;
    my $options = iip::EngineOptions->new;
    $options->{port} = "pair:perl$$";
    $options->{addresses} = $address;
    my $engine = iip::open($options);
    my $loop = $engine->loop(0);
    $loop->attach;
    return { engine => $engine, loop => $loop };
}

my ($client, $server) = (side("10.0.0.1/24"), side("10.0.0.2/24"));
my $listener = $server->{loop}->listen(":7", 5);
my $conn = $client->{loop}->connect("10.0.0.2:7", 6);
my $text = join "", map { chr($_ % 256) } 0 .. 599;
my ($peer, $back, $kept) = (0, "");

for (1 .. 50000) {
    for my $event ($client->{loop}->turn(100, 0)->list) {
        iip::send($conn, $text) if $event->type == $iip::EVENT_CONNECTED;
        $back .= $event->recv if $event->type == $iip::EVENT_DATA;
    }
    for my $event ($server->{loop}->turn(100, 0)->list) {
        $peer = $event->src if $event->type == $iip::EVENT_ACCEPT;
        next unless $event->type == $iip::EVENT_DATA;
        $server->{loop}->send_event($event->src, $event);
        $kept = $event;
    }
    last if length $back == length $text;
}
is($back, $text, "an echo, of all bytes");

ok(!eval { $kept->recv; 1 }, "a buffer that was sent is gone");
is($@->{name}, "IIP_E_STALE", "the error has a name");
like("$@", qr/^IIP_E_STALE: /, "and prints as its text");
ok(!eval { iip::send(1, "x"); 1 } && $@->{status} == $iip::E_STALE, "a foreign handle is stale");
ok($server->{loop}->stats->{rx_packets} > 0, "statistics");
is($server->{loop}->conn_after(0), $peer, "handles survive");
is(iip::conn_info($peer)->local_addr, "10.0.0.2:7", "addresses are text");

my $child = fork;
if (!$child) {
    my $ok = !eval { $server->{loop}->turn(0, 0); 1 } && $@->{name} eq "IIP_E_FORKED";
    require POSIX;
    POSIX::_exit($ok ? 0 : 1);
}
waitpid $child, 0;
is($?, 0, "a forked child is told so");

$_->{engine}->close for $client, $server;
ok(!eval { $server->{loop}->turn(0, 0); 1 } && $@->{name} eq "IIP_E_CLOSED", "a closed engine");
is($server->{engine}->leaks->{conns}, 1, "what it had not given back");
done_testing;
