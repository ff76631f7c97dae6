/* perl.i - Perl 5: bytes are strings, an error is an iip::Error {status, name, errno, text} that prints as its text. */
%{
#include <stdlib.h>
#include <string.h>

/* Puts the error into $@, from where SWIG's croak takes it. */
static void iip_set_error(void)
{
    dTHX;
    int32_t status = flat_error_status();
    HV *error = newHV();

    (void)hv_stores(error, "status", newSViv(status));
    (void)hv_stores(error, "name", newSVpv(iip_status_name(status), 0));
    (void)hv_stores(error, "errno", newSViv(iip_status_errno(status)));
    (void)hv_stores(error, "text", newSVpv(flat_error_text(), 0));
    sv_setsv(ERRSV, sv_2mortal(sv_bless(newRV_noinc((SV *)error), gv_stashpv("iip::Error", GV_ADD))));
    flat_error_clear();
}

#define IIP_RAISE do { iip_set_error(); SWIG_fail; } while (0)
%}

%typemap(in) (const void *bytes, uint32_t len) %{
    { STRLEN n; $1 = (void *)SvPVbyte($input, n);
      if (n > INT32_MAX) SWIG_exception_fail(SWIG_ValueError, "too long");
      $2 = (uint32_t)n; }
%}
%typemap(out) struct flat_bytes %{
    if ($1.len < 0) { iip_note($1.len); IIP_RAISE; }
    $result = sv_2mortal(newSVpvn($1.at ? $1.at : "", (STRLEN)$1.len)); argvi++;
    free($1.at);
%}

%perlcode %{
package iip::Error;
use overload '""' => sub { $_[0]{text} }, fallback => 1;
package iip::Events;
sub list { my $self = shift; return map { $self->get($_) } 0 .. $self->count - 1 }
package iip;
%}

%init %{
    { const char *why = flat_check(); if (why) croak("%s", why); }
%}
