module iip.example/examples

go 1.24.0

require iip.example/iip v0.0.0

replace iip.example/iip => ../../bindings/go
