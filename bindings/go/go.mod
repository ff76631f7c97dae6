module iip.example/iip

go 1.24
