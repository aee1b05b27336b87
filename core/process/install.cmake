# What is installed beside the program.

# Two units from one file: one service, and a template of which every instance is a service.
set(UNIT_WHICH "The policy is /etc/interim/policy.lua; `systemctl edit interim` changes the rest.")
set(UNIT_INSTANCE "")
set(UNIT_POLICY "/etc/interim/policy.lua")
set(UNIT_ENVIRONMENT "")
configure_file(core/process/interim.service.in interim.service @ONLY)

set(UNIT_WHICH "interim@a is one of several on this machine.")
set(UNIT_INSTANCE " (%i)")
set(UNIT_POLICY "\${POLICY}")
set(UNIT_ENVIRONMENT
"# A policy asks os.getenv which one it is for. What differs, /etc/interim/a.env may set: PORT=8081, or
# another POLICY.
Environment=NODE=%i POLICY=/etc/interim/policy.lua
EnvironmentFile=-/etc/interim/%i.env
")
configure_file(core/process/interim.service.in interim@.service @ONLY)

install(FILES ${CMAKE_BINARY_DIR}/interim.service ${CMAKE_BINARY_DIR}/interim@.service
        DESTINATION lib/systemd/system)
