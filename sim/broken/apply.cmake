# Copies SOURCE to OUT and applies PATCH. Where it does not apply, OUT is the source as it is: all
# builds go on, and the test of this broken build finds nothing wrong, which is its failure.
get_filename_component(folder ${OUT} DIRECTORY)
file(MAKE_DIRECTORY ${folder})
execute_process(COMMAND patch --quiet --force --output ${OUT} ${SOURCE} ${PATCH}
  RESULT_VARIABLE failed OUTPUT_VARIABLE said ERROR_VARIABLE said)
if(failed)
  message("${PATCH} does not apply any more:\n${said}")
  configure_file(${SOURCE} ${OUT} COPYONLY)
endif()
