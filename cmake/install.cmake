# What `cmake --install` puts where.  Every path inside is relative, so a prefix can be moved or staged.  The build of
# shared rooms is for checking only and installs nothing.
if(HONE_SHARED_ROOMS)
    return()
endif()

set_target_properties(hone_command PROPERTIES INSTALL_RPATH "$ORIGIN/../${CMAKE_INSTALL_LIBDIR}")
install(TARGETS hone LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR})
install(TARGETS hone_command RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
if(TARGET hone_codegen_cpu)
    set_target_properties(hone_codegen_cpu PROPERTIES INSTALL_RPATH "$ORIGIN/..")
    install(TARGETS hone_codegen_cpu LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR}/hone)
endif()
install(FILES include/hone/hone.h include/hone/strategy.h DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/hone)
install(FILES README.md LICENSE DESTINATION ${CMAKE_INSTALL_DOCDIR})
install(FILES docs/examples/complete.c docs/examples/strategy_lattice.c DESTINATION ${CMAKE_INSTALL_DOCDIR}/examples)

file(RELATIVE_PATH HONE_PREFIX_FROM_PKGCONFIG
    ${CMAKE_INSTALL_FULL_LIBDIR}/pkgconfig ${CMAKE_INSTALL_PREFIX})
configure_file(cmake/hone.pc.in ${CMAKE_BINARY_DIR}/hone.pc @ONLY)
install(FILES ${CMAKE_BINARY_DIR}/hone.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)

# The man page and the completions are printed by the built command from its table of options.
set(texts "")
function(command_text output folder)
    set(path ${CMAKE_BINARY_DIR}/generated/texts/${output})
    list(JOIN ARGN " " words)
    add_custom_command(OUTPUT ${path} COMMAND hone_command ${ARGN} > ${path} DEPENDS hone_command
        COMMENT "Writing ${output} with hone ${words}" VERBATIM)
    install(FILES ${path} DESTINATION ${folder})
    set(texts ${texts} ${path} PARENT_SCOPE)
endfunction()
if(NOT CMAKE_CROSSCOMPILING)
    file(MAKE_DIRECTORY ${CMAKE_BINARY_DIR}/generated/texts)
    command_text(hone.1 ${CMAKE_INSTALL_MANDIR}/man1 man)
    command_text(hone ${CMAKE_INSTALL_DATADIR}/bash-completion/completions completion bash)
    command_text(_hone ${CMAKE_INSTALL_DATADIR}/zsh/site-functions completion zsh)
    command_text(hone.fish ${CMAKE_INSTALL_DATADIR}/fish/vendor_completions.d completion fish)
    add_custom_target(hone_texts ALL DEPENDS ${texts})
endif()
